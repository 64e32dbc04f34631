import { CliError } from '../errors/exit.ts'

/** A message id from the command line. @throws CliError `usage` */
export function toMessageId(word: string): number {
  const id = Number(word)
  if (/^\d+$/.test(word) && Number.isSafeInteger(id)) return id
  throw new CliError('usage', `"${word}" is no id of a message`, '`chatctl send` and `chatctl history` print them')
}
