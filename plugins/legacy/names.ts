/**
 * Names for the original client, which takes them out of a row of text: white space ends them, a colon parts them. What
 * it cannot read travels as %XX of its UTF-8 bytes, and back when the client uses the name.
 */
const UNREADABLE = /[\p{White_Space}\p{Cc}:]/gu
/** What would be taken for an escape on the way back. */
const LOOKS_ESCAPED = /%(?=[0-9A-F]{2})/g
const ESCAPES = /(?:%[0-9A-F]{2})+/g

export const toOldName = (name: string): string =>
  name.replace(LOOKS_ESCAPED, '%25').replace(UNREADABLE, (character) => hex(Buffer.from(character)))

const hex = (bytes: Buffer) => [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

export const fromOldName = (name: string): string =>
  name.replace(ESCAPES, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())

/** A nickname is only shown: what the client cannot read becomes something that looks like it. */
export function toOldNickname(nickname: string, name: string): string {
  const shown = nickname.trim().replaceAll(':', '：').replace(UNREADABLE, '_')
  // The word that marks a group's row.
  return shown === '群' ? '群_' : shown || toOldName(name)
}
