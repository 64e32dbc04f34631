import { CliError } from '../errors/exit.ts'

/** For `coerce`: an empty value is a variable that was not set, and would mean all or nothing. */
export function notEmpty(name: string) {
  return (value: string | undefined): string | undefined => {
    if (value === '') throw new CliError('usage', `--${name} is empty`)
    return value
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

/** For `coerce`: yargs turns what is no number into NaN without a word. */
export function wholeNumber(name: string, lowest: number, highest: number) {
  return (value: unknown): number | undefined => {
    if (value === undefined) return undefined
    const number = Number(value)
    if (Number.isInteger(number) && number >= lowest && number <= highest && value !== '') return number
    throw new CliError('usage', `--${name} takes a whole number from ${lowest} to ${highest}`)
  }
}
