import { CliError } from '../errors/exit.ts'
import { closest } from '../input/suggest.ts'

/** `off`, or limits by name, of `text=4096,historyPage=20`. @throws CliError `usage` */
export function readLimits(text: string): unknown {
  if (text === 'off') return 'off'
  return Object.fromEntries(
    text.split(',').map((pair) => {
      const [, name = '', value = ''] = /^([^=]+)=(.+)$/.exec(pair) ?? []
      if (name === '')
        throw new CliError('usage', `--limits: "${pair}" is not LIMIT=NUMBER`, 'such as --limits text=4096, or off')
      return [name, value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value]
    }),
  )
}

/**
 * Refuses a limit that does not exist, and a value that is no whole number from 0 on.
 * @param from where the limits were set, for the error
 * @throws CliError `usage` that says what is allowed
 */
export function checkLimits(limits: unknown, from: string, names: readonly string[]) {
  // `off`, or another form, which the schema of the settings refuses.
  if (typeof limits !== 'object' || limits === null) return
  for (const [name, value] of Object.entries(limits)) {
    // A limit `plugin.limit` of a foreign plugin is checked when the plugins are loaded.
    if (!names.includes(name) && !name.includes('.')) {
      const near = closest(name, names)
      const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `limits: ${names.join(', ')}`
      throw new CliError('usage', `limits: there is no limit "${name}" (from ${from})`, hint)
    }
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw new CliError(
        'usage',
        `limits.${name} is ${JSON.stringify(value)}, which is no whole number from 0 on (from ${from})`,
        'docs/OPERATIONS.md lists the limits with their units',
      )
  }
}
