/**
 * Escapes text of other users for the terminal: names and messages may contain escape sequences that move the cursor, set
 * the clipboard, or reverse text.
 */

// C0 but tab and line feed, DEL, C1, line separators, bidirectional controls.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters
const DANGEROUS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]/g

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Text of several lines, safe for a terminal: control characters show as `\u001b`. */
export const printable = (text: string): string => text.replace(/\r\n/g, '\n').replace(DANGEROUS, escaped)

/** The same on one line. */
export const printableLine = (text: string): string => printable(text).replace(/\n/g, '⏎').replace(/\t/g, ' ')

/** JSON whose strings are intact, but with every dangerous character escaped. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(DANGEROUS, escaped)
}
