import { launchNats } from '../../test/support/cluster/nats.ts'
import type { PairShape } from '../options.ts'
import { type StoreResult, sharedLogAlone } from '../store.ts'
import { type SharedDatabase, withDatabase } from './database.ts'
import { type ClusterRow, merged } from './figures.ts'
import { type Setup, type Stage, type TrialResult, trial } from './trial.ts'

export interface ClusterOptions extends Omit<Stage, 'database' | 'nats'> {
  readonly shapes: readonly PairShape[]
  /** Numbers of nodes, each measured. */
  readonly nodes: readonly number[]
  /** Times that each setup is measured, in turn with the others. */
  readonly rounds: number
  readonly galera: boolean
}

const ROWS_PER_TRANSACTION = [1, 50, 500]
/** Longest measurement of a database alone, whose rate is steady. */
const MAX_STORE_SECONDS = 2

/** `pairs` on one server and on several nodes with one database, beside the database alone. */
export const onCluster = (options: ClusterOptions): Promise<{ rows: ClusterRow[]; stores: StoreResult[] }> =>
  withDatabase(options.galera, async (database) => {
    options.signal.throwIfAborted()
    const nats = await launchNats()
    const kill = () => nats.signal('SIGKILL')
    process.on('exit', kill)
    try {
      const stores = await databaseAlone(database, options)
      const rows = await allSetups({ ...options, database, nats }, options)
      return { rows, stores }
    } finally {
      await nats.kill()
      process.off('exit', kill)
    }
  })

async function allSetups(stage: Stage, { shapes, nodes, rounds }: ClusterOptions): Promise<ClusterRow[]> {
  const rows: ClusterRow[] = []
  const setups = setupsFor(nodes)
  for (const shape of shapes) {
    const results = new Map<Setup, TrialResult[]>(setups.map((setup) => [setup, []]))
    for (let round = 0; round < rounds; round++)
      for (const [setup, found] of results) found.push(await trial(setup, shape, stage))
    for (const [setup, found] of results) rows.push(merged(setup, stage.database.name, found))
  }
  return rows
}

/** The ceiling, one server with and without `--cluster`, then each number of nodes. */
export function setupsFor(nodes: readonly number[]): Setup[] {
  const setups: Setup[] = [{ title: 'ceiling', nodes: 1, kind: 'ceiling', pairs: 'first' }]
  for (const count of nodes) {
    if (count === 1) {
      setups.push({ title: '1, no cluster', nodes: 1, kind: 'alone', pairs: 'first' })
      setups.push({ title: '1 node', nodes: 1, kind: 'cluster', pairs: 'first' })
      continue
    }
    setups.push({ title: `${count} nodes, pairs on the first`, nodes: count, kind: 'cluster', pairs: 'first' })
    setups.push({ title: `${count} nodes, pairs across`, nodes: count, kind: 'cluster', pairs: 'across' })
  }
  return setups
}

/** Commits as those of nodes: with one row that all of them lock. With one writer, and with as many as there are nodes. */
async function databaseAlone(database: SharedDatabase, options: ClusterOptions): Promise<StoreResult[]> {
  const { size, seconds, nodes, signal, progress } = options
  const results: StoreResult[] = []
  for (const rows of ROWS_PER_TRANSACTION) {
    for (const writers of new Set([1, Math.max(...nodes)])) {
      const { primary, drop } = await database.create()
      const title = `${database.name} alone, ${writers} × ${rows} rows a transaction`
      try {
        const result = await sharedLogAlone(primary, {
          database: `${database.name}, one log`,
          writers,
          rows,
          size,
          seconds: Math.min(seconds, MAX_STORE_SECONDS),
          onProgress: (share) => progress(title, share),
          signal,
        })
        results.push(result)
      } finally {
        await drop()
      }
    }
  }
  return results
}
