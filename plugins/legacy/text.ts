import { toOldName, toOldNickname } from './names.ts'

/** Time as the original writes it: local, without leading zeros. The client only prints it. */
export function toOldTime(milliseconds: number): string {
  const time = new Date(milliseconds)
  const day = `${time.getFullYear()}年${time.getMonth() + 1}月${time.getDate()}日`
  return `${day} ${time.getHours()}时${time.getMinutes()}分${time.getSeconds()}秒`
}

/**
 * A text in pieces of at most `max` bytes, cut between characters. Each ends in a line break, as every text of the
 * original does: its window puts the next message right behind.
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

/** What the client typed: its text widget ends everything with a line break, and NULs at the end are filling. */
export const fromOldText = (text: string): string => text.replace(/\0+$/, '').replace(/\n$/, '')

export const userRow = ({ user, nickname }: { readonly user: string; readonly nickname: string }) =>
  `${toOldName(user)}:${toOldNickname(nickname, user)}`

export const roomRow = ({ group }: { readonly group: string }) => `群:${toOldName(group)}`

const SEPARATOR = ' + '

/**
 * Lists as texts, all in one frame: where they are too long for `max` bytes together, each is cut at its end. An empty
 * list is the word for it.
 */
export function fitLists(lists: readonly { readonly rows: readonly string[]; readonly none: string }[], max: number) {
  const kept = lists.map((): string[] => [])
  let left = max - lists.reduce((sum, { none }) => sum + none.length, 0)
  const longest = Math.max(...lists.map(({ rows }) => rows.length))
  // A row of each in turn, so that a long list does not push the other one out.
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
