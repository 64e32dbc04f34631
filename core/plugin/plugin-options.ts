import { SetupError } from '../errors.ts'
import type { AnyPlugin } from './plugin.ts'

/**
 * The options of every plugin, by its name, as its own schema reads them.
 * @param from where they were written, for the error
 * @throws SetupError that names every one that is wrong
 */
export function readOptions(
  plugins: readonly AnyPlugin[],
  options: Readonly<Record<string, unknown>>,
  from: string | undefined,
): ReadonlyMap<string, unknown> {
  const names = plugins.map(({ name }) => name)
  const issues = Object.keys(options)
    .filter((name) => !names.includes(name))
    .map((name) => `options.${name}: no plugin of that name is loaded`)
  const read = new Map<string, unknown>()
  for (const plugin of plugins) {
    const { value, wrong } = parse(plugin, options[plugin.name])
    read.set(plugin.name, value)
    issues.push(...wrong)
  }
  if (issues.length > 0)
    throw new SetupError(`${issues.join('; ')}${from === undefined ? '' : ` (from ${from})`}`, { isSetting: true })
  return read
}

/** The options as a plugin's schema parses them, or one line per error. */
function parse({ name, options: schema }: AnyPlugin, given: unknown): { value?: unknown; wrong: readonly string[] } {
  if (schema === undefined)
    return { wrong: given === undefined ? [] : [`options.${name}: this plugin takes no options`] }
  const result = schema.safeParse(given ?? {})
  if (result.success) return { value: result.data, wrong: [] }
  return {
    wrong: result.error.issues.map(({ path, message }) => `${['options', name, ...path].join('.')}: ${plain(message)}`),
  }
}

/** In the words of this program's own messages. */
const plain = (message: string) => message.replace(/^Invalid input: /, '').replace(', received ', ', got ')
