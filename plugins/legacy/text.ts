import { toOldName, toOldNickname } from './names.ts'

/** Time in the original's format: local, without leading zeros. The client only displays it. */
export function toOldTime(milliseconds: number): string {
  const time = new Date(milliseconds)
  const day = `${time.getFullYear()}年${time.getMonth() + 1}月${time.getDate()}日`
  return `${day} ${time.getHours()}时${time.getMinutes()}分${time.getSeconds()}秒`
}

/**
 * Splits a text into parts of at most `max` bytes, between characters. Each ends in a line break, as every text of the
 * original must: its window appends the next message directly.
 */
export function splitText(text: string, max: number): string[] {
  const whole = text.endsWith('\n') ? text.slice(0, -1) : text
  const parts: string[] = []
  let part = ''
  let size = 0
  for (const character of whole) {
    const bytes = Buffer.byteLength(character)
    if (size + bytes > max - 1) {
      parts.push(`${part}\n`)
      part = ''
      size = 0
    }
    part += character
    size += bytes
  }
  return [...parts, `${part}\n`]
}

/** Text as typed: without the line break that the client's text widget appends, and without NUL padding. */
export const fromOldText = (text: string): string => text.replace(/\0+$/, '').replace(/\n$/, '')

export const userRow = ({ user, nickname }: { readonly user: string; readonly nickname: string }) =>
  `${toOldName(user)}:${toOldNickname(nickname, user)}`

export const roomRow = ({ group }: { readonly group: string }) => `群:${toOldName(group)}`

const SEPARATOR = ' + '

/**
 * Joins the rows of several lists for one frame. Rows beyond `max` bytes in total are dropped from the ends of the lists.
 * An empty list becomes the word `none`.
 */
export function fitLists(lists: readonly { readonly rows: readonly string[]; readonly none: string }[], max: number) {
  const kept = lists.map((): string[] => [])
  let left = max - lists.reduce((sum, { none }) => sum + none.length, 0)
  const longest = Math.max(...lists.map(({ rows }) => rows.length))
  // Rows are taken from each list in turn, so that a long list does not displace another.
  for (let index = 0; index < longest; index++) {
    for (const [which, { rows }] of lists.entries()) {
      const row = rows[index]
      if (row === undefined) continue
      left -= Buffer.byteLength(row) + SEPARATOR.length
      if (left >= 0) kept[which]?.push(row)
    }
    if (left < 0) break
  }
  return lists.map(({ none }, which) => kept[which]?.join(SEPARATOR) || none)
}
