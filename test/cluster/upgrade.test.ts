import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { version } from '../../cli/definition/version.ts'
import { Clients } from '../support/clients.ts'
import { startNats } from '../support/cluster/nats.ts'
import { canRunCluster, copyKeys, shareableMariadb } from '../support/cluster/processes.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { MINUTES } from '../support/endurance/rounds.ts'
import { openListener, Sender, storedFor, untilLost } from '../support/endurance/senders.ts'
import { otherBuild } from '../support/processes/other-build.ts'
import { openShell } from '../support/processes/shell.ts'

const WINDOW = 8
/** Messages that are acknowledged between two restarts. */
const BETWEEN = 100

/** A database, NATS, and `serve` of builds by the path of their command, on data folders of one shell. */
async function openStage(t: ExecutionContext) {
  const [{ url }, nats, home] = [await shareableMariadb(t), await startNats(t), await openShell(t)]
  const env = {
    CHATCTL_DB: url,
    CHATCTL_CLUSTER: nats.url,
    CHATCTL_FILES: join(home.folder, 'files'),
    CHATCTL_LIMITS: '{"requestRate":1000000000,"requestBurst":1000000000,"registrations":1000000000}',
  }
  const argsOf = (name: string, port: string) => [
    ...['--data', join(home.folder, name), '--node-name', name],
    ...['--port', port],
  ]
  /** Starts a node. @param main command of another build than this one */
  const serve = async (name: string, { main, port = '0' }: { main?: string | undefined; port?: string } = {}) => {
    if (name !== 'a') await copyKeys(home, 'a', name)
    return (await openShell(t, main)).serve(argsOf(name, port), { env })
  }
  /** What a node says that is refused. */
  const refused = async (name: string, main: string) => {
    await copyKeys(home, 'a', name)
    const { code, stderr } = await (await openShell(t, main)).run(['serve', ...argsOf(name, '0')], { env })
    t.is(code, 1, stderr)
    return stderr
  }
  const versions = async () => {
    const { stdout } = await home.run(['cluster', 'status', '-o', 'json'], { env })
    return JSON.parse(stdout).map(({ name, version }: { name: string; version: string }) => `${name} ${version}`)
  }
  const migrate = async (main: string) =>
    (await (await openShell(t, main)).run(['db', 'migrate', '--data', join(home.folder, 'a')], { env })).code
  return { serve, refused, versions, migrate }
}

/** `OLD_BUILD` is the command of a real older build with the same schema, in place of this one with another version. */
const oldBuild = async (t: ExecutionContext) => process.env.OLD_BUILD ?? otherBuild(t, '0.0.9')

test('nodes are restarted one after another with a newer version while people talk: nothing is lost', async (t) => {
  if (!canRunCluster(t)) return
  t.timeout(5 * MINUTES)
  const { serve, versions } = await openStage(t)
  const main = await oldBuild(t)
  const old = [await serve('a', { main }), await serve('b', { main })] as const
  const before: string[] = await versions()
  const addresses = old.map(({ server }) => server)
  const { user } = new Clients(t, () => ({ address: addresses.join(','), control: '' }))
  const ann = await user('ann', { reconnect: true })
  const bob = await openListener({ user }, { server: [...addresses].reverse().join(',') })

  const ledger = new Ledger()
  const sender = new Sender('ann', ledger)
  let isOver = false
  const sending = (async () => {
    while (!isOver) await untilLost(sender.send(ann, { window: WINDOW, enough: () => isOver }))
  })()
  const someMore = () => ledger.acknowledgements(ledger.acknowledged + BETWEEN)
  await someMore()
  for (const [index, name] of ['a', 'b'].entries()) {
    const node = old[index as 0 | 1]
    t.is((await node.stop()).code, 0)
    await serve(name, { port: String(node.listening.port) })
    await someMore()
    // In the order of their starts.
    t.deepEqual(await versions(), index === 0 ? [before[1], `a ${version()}`] : [`a ${version()}`, `b ${version()}`])
  }
  isOver = true
  await sending
  await sender.sendOpen(ann, WINDOW)

  const everything = await storedFor(await user('bob'))
  ledger.find(everything)
  const figures = ledger.figures()
  await bob.hear(figures.attempted)
  t.like(figures, { ...KEPT, acknowledged: figures.attempted, stored: figures.attempted })
  t.deepEqual(
    bob.heard,
    everything.map(({ text }) => text),
    'Bob hears each once, in the order they are stored',
  )
})

test('a version that speaks otherwise, or needs another schema, is refused until all nodes are stopped', async (t) => {
  if (!canRunCluster(t)) return
  const { serve, refused, migrate } = await openStage(t)
  const protocol = 'export const NODE_PROTOCOL = '
  const otherwise = await otherBuild(t, '0.2.0', [
    { file: 'cli/server/cluster/identity.js', from: `${protocol}1`, to: `${protocol}2` },
  ])
  const schema = await otherBuild(t, '0.3.0', [
    {
      file: 'db/migrations/index.js',
      from: 'export const MIGRATIONS = {',
      to: `export const MIGRATIONS = { '9999_next': { up: async () => {}, down: async () => {} },`,
    },
  ])
  const a = await serve('a')
  t.regex(
    await refused('b', otherwise),
    /node a runs chatctl [^ ]+, beside which 0\.2\.0 cannot run: stop all nodes, then start them with one version/,
  )
  t.regex(
    await refused('b', schema),
    /needs 1 migration\(s\), and nodes of a cluster use it: a\. Stop them first, then run `chatctl db migrate`/,
  )
  t.is(await migrate(schema), 5)
  await a.stop()
  t.is(await migrate(schema), 0)
  const b = await serve('b', { main: schema })
  t.regex(await refused('c', otherwise), /newer version of chatctl/)
  t.is((await b.stop()).code, 0)
})
