/**
 * yargs loses a lone `-` and what follows `--`. Such words are marked before it sees them, with a NUL, which no shell
 * can put into an argument, and unmarked afterwards.
 */
const MARK = '\0'
/** Prefix of words after `--`. Two marks: a lone `-` there is a text, not stdin. */
const PLAIN = `${MARK}${MARK}`

/** The word `-` as a command gets it: read stdin. */
export const STDIN = `${MARK}-`

/** Words as yargs can take them. */
export function markWords(words: readonly string[]): string[] {
  const end = words.indexOf('--')
  const before = end === -1 ? words : words.slice(0, end)
  const after = end === -1 ? [] : words.slice(end + 1)
  return [
    ...before.map((word) => (word === '-' ? STDIN : word)),
    ...after.map((word) => (word.startsWith('-') ? PLAIN + word : word)),
  ]
}

/** A message of yargs without the marks. */
export const unmarked = (text: string) => text.replaceAll(MARK, '')

/** Words as the user typed them, except STDIN. */
export function unmark<T>(value: T): T
export function unmark(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(PLAIN) ? value.slice(PLAIN.length) : value
  return Array.isArray(value) ? value.map(unmark) : value
}
