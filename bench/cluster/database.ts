import { startGalera } from '../../test/support/databases/galera.ts'
import { newDatabase, startMariadb } from '../../test/support/databases/mariadb.ts'

interface EmptyDatabase {
  /** For nodes. */
  readonly url: string
  /** On the server that nodes write to. */
  readonly primary: string
  drop(): Promise<void>
}

/** The database that all nodes share: a private MariaDB server, or three of a Galera cluster. */
export interface SharedDatabase {
  readonly name: 'MariaDB' | 'Galera'
  /** Processes; the nodes write to the first. */
  readonly pids: readonly number[]
  create(): Promise<EmptyDatabase>
}

/** Runs `work` with database servers of its own, which have ended when this settles or the process exits. */
export const withDatabase = <T>(galera: boolean, work: (database: SharedDatabase) => Promise<T>): Promise<T> =>
  galera ? onGalera(work) : onMariadb(work)

async function onMariadb<T>(work: (database: SharedDatabase) => Promise<T>): Promise<T> {
  const mariadb = await startMariadb({ binlog: true })
  const kill = () => mariadb.signal('SIGKILL')
  process.on('exit', kill)
  try {
    const create = async () => {
      const { url, drop } = await newDatabase(mariadb.server)
      return { url, primary: url, drop }
    }
    return await work({ name: 'MariaDB', pids: [mariadb.pid], create })
  } finally {
    await mariadb.close()
    process.off('exit', kill)
  }
}

async function onGalera<T>(work: (database: SharedDatabase) => Promise<T>): Promise<T> {
  const { nodes, close } = await startGalera()
  const kill = () => {
    for (const node of nodes) node.signal('SIGKILL')
  }
  process.on('exit', kill)
  // Each node prefers the first, so that all of them write to one.
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const create = async () => {
    const { url: primary, drop } = await newDatabase(`mysql://root@${hosts[0]}`)
    return { url: `mysql://root@${hosts.join(',')}${new URL(primary).pathname}`, primary, drop }
  }
  try {
    return await work({ name: 'Galera', pids: nodes.map(({ pid }) => pid), create })
  } finally {
    await close()
    process.off('exit', kill)
  }
}
