import { setImmediate as nextTurn } from 'node:timers/promises'
import { type AnyPlugin, Catalogue, loadPlugin, type PluginFacts, QueryPlugins } from '../../core/index.ts'
import { migrate, openInMemory, rollback } from '../../db/index.ts'
import { assemble, pluginMigrations } from '../../plugins/assembly.ts'
import { BUILT_IN } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'

/** Result of one step of the check. */
export interface Finding {
  /** `load`, `messages`, `migrations` or `start`. */
  readonly step: string
  /** Name of the plugin; its specifier before it is loaded. */
  readonly plugin: string
  readonly ok: boolean
  /** Result of the check, or the reason of the failure. */
  readonly detail: string
}

export interface Checked {
  /** Files or packages. */
  readonly plugins: readonly string[]
  /** Folder from which files and packages are resolved. */
  readonly folder: string
  /** Options of plugins, by name. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * Checks plugins on a server that listens nowhere: loads them, compares their messages with the built-in ones, runs
 * their migrations up and down on a database in memory, starts and stops them. Ends at the first failure.
 */
export async function* checkPlugins({ plugins: asked, folder, options }: Checked): AsyncGenerator<Finding> {
  const plugins: AnyPlugin[] = []
  for (const specifier of asked) {
    const finding = await attempt('load', specifier, async () => {
      const plugin = await loadPlugin(specifier, folder)
      checkName(plugin)
      plugins.push(plugin)
      const { name, version = 'no version', api = 'any' } = plugin
      return `${name}, ${version}, for plugin API ${api}`
    })
    yield finding
    if (!finding.ok) return
  }
  const names = plugins.map(({ name }) => name).join(', ')
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ['messages', async () => checkMessages(plugins)],
    ['migrations', () => checkMigrations(plugins)],
    ['start', () => checkStart(plugins, options)],
  ]
  for (const [step, look] of steps) {
    const finding = await attempt(step, names, look)
    yield finding
    if (!finding.ok) return
  }
}

async function attempt(step: string, plugin: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { step, plugin, ok: true, detail: await look() }
  } catch (error) {
    return { step, plugin, ok: false, detail: (error as Error).message }
  }
}

const NAME = /^[a-z][a-z0-9_-]{0,63}$/

/** The name is part of option paths, failure codes, reports and recorded migrations. */
function checkName({ name }: AnyPlugin) {
  if (!NAME.test(name)) throw new Error(`the name "${name}" is not at most 64 of a-z, 0-9, - and _ after a letter`)
  if (BUILT_IN.some((plugin) => plugin.name === name)) throw new Error(`a built-in plugin is named "${name}" too`)
}

function checkMessages(plugins: readonly AnyPlugin[]): string {
  const catalogue = new Catalogue(BUILT_IN.flatMap(({ messages = {} }) => Object.values(messages)))
  assemble({ plugins })
  const own = plugins.flatMap(({ name, messages = {} }) =>
    Object.values(messages).map((message) => ({ name, message })),
  )
  for (const { name, message } of own) catalogue.add(message, `plugin ${name}`)
  return own.map(({ message }) => `${message.type} ${message.name}`).join(', ') || 'none'
}

/** Up, down and up again: an operator may remove a plugin and add it later. */
async function checkMigrations(plugins: readonly AnyPlugin[]): Promise<string> {
  const migrations = pluginMigrations(plugins)
  const names = Object.keys(migrations)
  if (names.length === 0) return 'none'
  const db = openInMemory()
  try {
    await migrate(db)
    const without = await schemaOf(db)
    await withStep('up', migrate(db, migrations))
    await withStep('down', rollback(db, migrations))
    const after = await schemaOf(db)
    const left = after.filter((sql) => !without.includes(sql))
    if (left.length > 0) throw new Error(`down leaves behind: ${left.join('; ')}`)
    const lost = without.filter((sql) => !after.includes(sql))
    if (lost.length > 0) throw new Error(`down does not bring back: ${lost.join('; ')}`)
    await withStep('up, after down,', migrate(db, migrations))
    return `${names.join(', ')}: up, down and up again`
  } finally {
    await db.destroy()
  }
}

/** Puts the step's name in front of the error. */
async function withStep<T>(step: string, running: Promise<T>): Promise<T> {
  try {
    return await running
  } catch (error) {
    throw new Error(`${step} fails: ${(error as Error).message}`, { cause: error })
  }
}

/** Tables and indexes, as SQL. */
const schemaOf = (db: ReturnType<typeof openInMemory>): Promise<string[]> =>
  db('sqlite_master').whereNotNull('sql').whereNot('name', 'like', 'sqlite_%').orderBy('name').pluck('sql')

async function checkStart(plugins: readonly AnyPlugin[], options: Checked['options']): Promise<string> {
  // Prepares the test kit first: timers of its own start would be counted, and hide one that the plugin leaves open.
  await (await testServer()).dispose()
  await nextTurn()
  const before = process.getActiveResourcesInfo()
  // On the system's clock: a plugin that never becomes ready runs into its time limit.
  const how = { ignoreFailures: true, clock: 'system' } as const
  const server = await testServer({ plugins, pluginOptions: options as Record<string, object>, ...how })
  const failures = server.failures()
  const facts: PluginFacts[] = JSON.parse((await (await server.operator()).request(QueryPlugins, {})).json)
  const unanswered = plugins
    .flatMap(({ messages = {} }) => Object.values(messages))
    .filter(({ from, name }) => from === 'client' && !facts.some(({ handles }) => handles.includes(name)))
  await server.dispose()
  const [failure] = server.failures()
  if (failure === undefined) {
    // Handles close in the next turn of the event loop.
    await nextTurn()
    const open = leftOpen(before, process.getActiveResourcesInfo())
    if (unanswered.length > 0) throw new Error(`nobody handles ${unanswered.map(({ name }) => name).join(', ')}`)
    if (open.length === 0) return 'started and stopped'
    throw new Error(
      `still open after it stopped: ${open.join(', ')}; make timers with app.every, end the rest in app.onStop`,
    )
  }
  throw new Error(`${failures.length > 0 ? 'while it ran' : 'when it stopped'}: ${String(failure.error)}`)
}

/** Resources that keep a process alive: a stopped plugin must have closed them. */
const KEEPS_ALIVE = ['Timeout', 'TCPServerWrap', 'TCPSocketWrap', 'UDPWRAP', 'FSEventWrap']

function leftOpen(before: readonly string[], after: readonly string[]): string[] {
  return KEEPS_ALIVE.flatMap((kind) => {
    const count = (kinds: readonly string[]) => kinds.filter((other) => other === kind).length
    const more = count(after) - count(before)
    return more > 0 ? [more === 1 ? kind : `${more} × ${kind}`] : []
  })
}
