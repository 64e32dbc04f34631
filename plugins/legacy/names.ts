/**
 * Names in the form of the original client, which parses them out of rows of text with white space and colons as
 * separators. Such characters are escaped as %XX of their UTF-8 bytes, and unescaped when the client uses the name.
 */
const UNREADABLE = /[\p{White_Space}\p{Cc}:]/gu
/** A literal `%` that would be read as an escape. */
const LOOKS_ESCAPED = /%(?=[0-9A-F]{2})/g
const ESCAPES = /(?:%[0-9A-F]{2})+/g

export const toOldName = (name: string): string =>
  name.replace(LOOKS_ESCAPED, '%25').replace(UNREADABLE, (character) => hex(Buffer.from(character)))

const hex = (bytes: Buffer) => [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

export const fromOldName = (name: string): string =>
  name.replace(ESCAPES, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())

/** A nickname is only displayed, so separators in it are replaced by similar characters. */
export function toOldNickname(nickname: string, name: string): string {
  const shown = nickname.trim().replaceAll(':', '：').replace(UNREADABLE, '_')
  // This word marks the row of a group.
  return shown === '群' ? '群_' : shown || toOldName(name)
}
