import { existsSync } from 'node:fs'
import { duplexPair } from 'node:stream'
import type { Client, ConnectOptions, Identity } from '../../client/index.ts'
import { type Context, currentContext, noSuchContext, readContext } from '../config/contexts.ts'
import { knownServer, rememberIfWritable } from '../config/known-servers.ts'
import type { Shared } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import { controlSocket, dataPaths } from '../server/paths.ts'

/** Connections of a command to a server: without login, as a user, as the operator. Each is closed afterwards. */

const client = () => import('../../client/index.ts')

/** Trust on first use: the key of a server met first is accepted and kept; another one is refused later. */
export async function keyCheck(
  server: string,
  shared: Shared,
): Promise<Pick<ConnectOptions, 'pin' | 'checkKey' | 'leastIterations'>> {
  const known = await knownServer(server)
  const pin = shared.pin ?? known?.key
  const { LEAST_ITERATIONS } = await import('../../client/credentials.ts')
  // A key seen only at a registration is unproved: that server must not choose a low iteration count.
  const isProved = shared.pin !== undefined || known?.state === 'verified'
  const leastIterations = shared.leastIterations ?? LEAST_ITERATIONS[isProved ? 'pinnedServer' : 'unknownServer']
  if (pin !== undefined) return { pin, leastIterations }
  return { leastIterations, checkKey: (key) => shared.output.note(`first contact with ${server}, whose key is ${key}`) }
}

/** Connects without logging in. */
export async function withoutLogin<T>(server: string, shared: Shared, act: (client: Client) => Promise<T>): Promise<T> {
  const { connect, parseAddresses } = await client()
  try {
    parseAddresses(server)
  } catch (error) {
    throw new CliError(
      'usage',
      (error as Error).message,
      'such as 127.0.0.1:7300, [::1]:7300 or ws://127.0.0.1:7380/chat',
    )
  }
  const { timeout, signal } = shared
  const anonymous = await connect({ server, reconnect: false, timeout, signal, ...(await keyCheck(server, shared)) })
  return closing(anonymous, act)
}

/** The context of `--context`, `CHATCTL_CONTEXT`, or the selected one. @throws CliError `authentication` */
export async function chosenContext({ context: asked }: Shared): Promise<Context> {
  const name = asked ?? (await currentContext())
  if (name === undefined)
    throw new CliError('authentication', 'not logged in', 'log in with `chatctl login NAME --server HOST:PORT`')
  const context = await readContext(name)
  if (context === undefined) throw noSuchContext(name)
  return context
}

/**
 * Acts as a user: with `--as` through the control socket of `--data`, otherwise logged in from a context. `act` gets the
 * user's name.
 * @param reconnect whether to reconnect after a lost connection; for commands that wait
 */
export async function asUser<T>(
  shared: Shared,
  act: (client: Client, user: string) => Promise<T>,
  { reconnect = false }: { reconnect?: boolean } = {},
): Promise<T> {
  if (shared.as !== undefined) {
    const user = shared.as
    return asOperator(shared, async (operator) => {
      await operator.actAs(user)
      return act(operator, user)
    })
  }
  return asContext(shared, (self, { user }) => act(self, user), { reconnect })
}

/** Acts as the login of a context; `act` gets the identity that the server reports. Keeps the key of a server met first. */
export async function asContext<T>(
  shared: Shared,
  act: (client: Client, identity: Identity, context: Context) => Promise<T>,
  { reconnect = false }: { reconnect?: boolean } = {},
): Promise<T> {
  const context = await chosenContext(shared)
  const { connect } = await client()
  const { timeout, signal } = shared
  const { server } = context
  const self = await connect({ server, reconnect, timeout, signal, ...(await keyCheck(server, shared)) })
  return closing(self, async () => {
    const identity = await self.login(context.user, { keys: context.keys })
    if ((await knownServer(server)) === undefined) {
      const why = await rememberIfWritable(server, { key: self.fingerprint, state: 'verified' })
      if (why !== undefined) shared.output.note(why)
    }
    return act(self, identity, context)
  })
}

/** The operator of a running server, through its control socket. */
export async function asOperator<T>(shared: Shared, act: (client: Client) => Promise<T>): Promise<T> {
  const operator = await reachOperator(shared)
  if (operator === undefined)
    throw new CliError(
      'unreachable',
      `no server runs on ${shared.data}`,
      'start it with `chatctl serve`, or name its folder with --data',
    )
  return closing(operator, act)
}

/** A mistyped --data must not make a new server. @throws CliError when the data folder holds no database */
export function requireDatabase(data: string) {
  if (existsSync(dataPaths(data).database)) return
  const hint = '`chatctl serve` makes one; or name the folder with --data'
  throw new CliError('failed', `there is no database in ${data}`, hint)
}

/**
 * The operator, whether the server runs or not: if not, this process opens the data folder meanwhile. Only for changes
 * of accounts; messages need the running server to be pushed.
 * @param make whether to make a new data folder if there is none
 */
export async function asOperatorOrOffline<T>(
  shared: Shared,
  act: (client: Client) => Promise<T>,
  { make = false }: { make?: boolean } = {},
): Promise<T> {
  const running = await reachOperator(shared)
  if (running !== undefined) return closing(running, act)
  const { readConfig } = await import('../config/server-config.ts')
  const { config, legacy } = await readConfig({ data: shared.data, config: shared.config })
  if (!make && config.db === '') requireDatabase(shared.data)
  const { openServer } = await import('../server/assembly.ts')
  const { pino } = await import('pino')
  const { connect } = await client()
  // With the settings of the server, so that an account made while it is stopped equals any other.
  const ofLegacy = legacy === undefined ? {} : { preHash: 'md5x10' }
  const pluginOptions = { registration: { ...ofLegacy, ...(config.options.registration as object | undefined) } }
  const handle = await openServer({ data: shared.data, db: config.db, pluginOptions, log: pino({ level: 'silent' }) })
  try {
    const [ours, theirs] = duplexPair()
    handle.server.accept(theirs, { address: 'control', isOperator: true })
    return await closing(await connect({ server: ours, reconnect: false, timeout: shared.timeout }), act)
  } finally {
    await handle.close()
  }
}

/** Whether a server answers on the control socket of the data folder. */
export async function isRunning(shared: Shared): Promise<boolean> {
  const operator = await reachOperator(shared)
  await operator?.close()
  return operator !== undefined
}

async function reachOperator({ data, timeout, signal }: Shared): Promise<Client | undefined> {
  const { connect } = await client()
  try {
    return await connect({ server: { path: controlSocket(data) }, reconnect: false, timeout, signal })
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: NodeJS.ErrnoException }
    if (cause?.code === 'EACCES')
      throw new CliError(
        'refused',
        `only the user who runs the server may operate it: ${data}`,
        'run it as that user, with sudo -u USER',
      )
    if (cause?.code === 'ENOTDIR') throw new CliError('usage', `${data} is not a folder`, 'name one with --data')
    if (code === 'unreachable' && (cause?.code === 'ENOENT' || cause?.code === 'ECONNREFUSED')) return undefined
    throw error
  }
}

async function closing<T>(open: Client, act: (client: Client) => Promise<T>): Promise<T> {
  try {
    return await act(open)
  } finally {
    await open.close()
  }
}
