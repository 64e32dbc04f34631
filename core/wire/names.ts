import { isLine } from './field.ts'

/** Scripts with joining letters, as classes of a regular expression. */
const JOINING =
  'Arabic Syriac Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala'
    .split(' ')
    .map((script) => `\\p{Script=${script}}`)
    .join('')

/**
 * Legitimate uses of invisible characters, one pattern each: a variation selector after an emoji or in a keycap, a joiner
 * between two emoji, a joiner or non-joiner between letters of a joining script, and the tags of a region's flag.
 */
const VISIBLE_USES = [
  /(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]/gu,
  /(?<=[0-9#*])\ufe0f(?=\u20e3)/gu,
  /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}])\u200d(?=\p{Extended_Pictographic})/gu,
  new RegExp(`(?<=[${JOINING}\\p{M}])[\\u200c\\u200d](?=[${JOINING}])`, 'gu'),
  /(?<=\u{1f3f4})[\u{e0061}-\u{e007a}\u{e0030}-\u{e0039}]{2,6}\u{e007f}/gu,
]
/** Rendered as nothing or as a blank, so that different names look the same. */
const INVISIBLE =
  /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}\u2800\ufffc]/u
/** Letters carry one or two combining marks, rarely three; a stack of them covers the lines around it. */
const STACKED_MARKS = /\p{M}{5}/u

/**
 * Canonical form of a display name (a nickname, the name of a group): NFC, white space as single spaces, trimmed.
 *
 * @param maxCharacters most code points of that form
 * @returns undefined for an invalid name: empty, too long, with line breaks, invisible characters or stacked marks
 */
export function toShownName(wanted: string, maxCharacters: number): string | undefined {
  const name = wanted
    .normalize('NFC')
    .replace(/\p{Zs}+/gu, ' ')
    .trim()
  const length = [...name].length
  if (length === 0 || length > maxCharacters || !isLine(name) || /^\p{M}/u.test(name)) return undefined
  const rest = VISIBLE_USES.reduce((text, use) => text.replace(use, ''), name)
  return INVISIBLE.test(rest) || STACKED_MARKS.test(rest) ? undefined : name
}
