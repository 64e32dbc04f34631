import { CliError } from '../errors/exit.ts'

/** For `coerce`: refuses an empty value, which comes from an unset variable and would mean all or nothing. */
export function notEmpty(name: string) {
  return (value: string | undefined): string | undefined => {
    if (value === '') throw new CliError('usage', `--${name} is empty`)
    return value
  }
}

/** For `coerce`: the last of several values, so that an argument after those of `npm start` overrides its default. */
export function lastOf(name: string) {
  return (value: string | string[] | undefined): string | undefined =>
    notEmpty(name)(Array.isArray(value) ? value.at(-1) : value)
}

/** A fingerprint: the unpadded base64 of a SHA-256. */
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/

/** For `coerce`: the key of a server. A mistyped one must not look like the key of an attacker. */
export function fingerprint(name: string) {
  return (value: string | undefined): string | undefined => {
    const given = notEmpty(name)(value)
    if (given === undefined || FINGERPRINT.test(given)) return given
    // On one line: the parser keeps no hint of an error that is thrown here.
    throw new CliError(
      'usage',
      `--${name}: "${given}" is not SHA256: and 43 letters of base64, as \`chatctl serve\` prints it at its start`,
    )
  }
}

/** For `coerce`: a sender's own id of a message. */
export function ownId(name: string) {
  return (value: string | undefined): string | undefined => {
    const bytes = Buffer.byteLength(notEmpty(name)(value) ?? '')
    if (bytes > 64) throw new CliError('usage', `--${name} is ${bytes} bytes long, at most 64 are allowed`)
    return value
  }
}

/** For `coerce`: a whole number; yargs turns anything else into NaN without an error. */
export function wholeNumber(name: string, lowest: number, highest: number) {
  return (value: unknown): number | undefined => {
    if (value === undefined) return undefined
    const number = Number(value)
    if (Number.isInteger(number) && number >= lowest && number <= highest && value !== '') return number
    throw new CliError('usage', `--${name} takes a whole number from ${lowest} to ${highest}`)
  }
}
