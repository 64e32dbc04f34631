import { type AnyPlugin, Catalogue, loadPlugin } from '../core/index.ts'
import { migrate, openInMemory, rollback } from '../db/index.ts'
import { assemble, pluginMigrations } from '../plugins/assembly.ts'
import { BUILT_IN } from '../plugins/index.ts'
import { testServer } from '../testing/index.ts'

/** One thing that was looked at. */
export interface Finding {
  /** `load`, `messages`, `migrations` or `start`. */
  readonly step: string
  /** Name of the plugin, as far as it is known. */
  readonly plugin: string
  readonly ok: boolean
  /** What there is, or what is wrong. */
  readonly detail: string
}

export interface Checked {
  /** Files or packages. */
  readonly plugins: readonly string[]
  /** Where they are seen from. */
  readonly folder: string
  /** Options of plugins, by name. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * Looks at plugins without a server that anybody could use: loads them, compares their messages with the built-in ones,
 * makes and unmakes their tables on a database in memory, starts and stops them. What a failure makes pointless is left
 * out.
 */
export async function* checkPlugins({ plugins: asked, folder, options }: Checked): AsyncGenerator<Finding> {
  const plugins: AnyPlugin[] = []
  for (const specifier of asked) {
    const finding = await attempt('load', specifier, async () => {
      const plugin = await loadPlugin(specifier, folder)
      plugins.push(plugin)
      const { name, version = 'no version', api = 'any' } = plugin
      return `${name}, ${version}, for plugin API ${api}`
    })
    yield finding
    if (!finding.ok) return
  }
  const names = plugins.map(({ name }) => name).join(', ')
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ['messages', async () => lookAtMessages(plugins)],
    ['migrations', () => tryMigrations(plugins)],
    ['start', () => tryStart(plugins, options)],
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

function lookAtMessages(plugins: readonly AnyPlugin[]): string {
  const catalogue = new Catalogue(BUILT_IN.flatMap(({ messages = {} }) => Object.values(messages)))
  assemble({ plugins })
  const own = plugins.flatMap(({ name, messages = {} }) =>
    Object.values(messages).map((message) => ({ name, message })),
  )
  for (const { name, message } of own) catalogue.add(message, `plugin ${name}`)
  return own.map(({ message }) => `${message.type} ${message.name}`).join(', ') || 'none'
}

/** Up, down and up again, as an operator would who takes a plugin away and brings it back. */
async function tryMigrations(plugins: readonly AnyPlugin[]): Promise<string> {
  const migrations = pluginMigrations(plugins)
  const names = Object.keys(migrations)
  if (names.length === 0) return 'none'
  const db = openInMemory()
  try {
    await migrate(db)
    await migrate(db, migrations)
    await rollback(db, migrations)
    await migrate(db, migrations)
    return `${names.join(', ')}: up, down and up again`
  } finally {
    await db.destroy()
  }
}

async function tryStart(plugins: readonly AnyPlugin[], options: Checked['options']): Promise<string> {
  const server = await testServer({ plugins, pluginOptions: options as Record<string, object>, ignoreFailures: true })
  const failures = server.failures()
  await server.dispose()
  const [failure] = server.failures()
  if (failure === undefined) return 'started and stopped'
  throw new Error(`${failures.length > 0 ? 'while it ran' : 'when it stopped'}: ${String(failure.error)}`)
}
