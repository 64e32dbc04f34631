import { isLine } from './field.ts'

/** Scripts whose letters change where they are joined, as classes of a regular expression. */
const JOINING =
  'Arabic Syriac Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala'
    .split(' ')
    .map((script) => `\\p{Script=${script}}`)
    .join('')

/**
 * Where invisible characters are part of what is seen, one pattern each: a variation selector behind an emoji, or in a
 * key cap, a joiner between two emoji, a joiner or non-joiner between letters of a script that joins them, and the
 * tags of a flag of a region.
 */
const VISIBLE_USES = [
  /(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]/gu,
  /(?<=[0-9#*])\ufe0f(?=\u20e3)/gu,
  /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}])\u200d(?=\p{Extended_Pictographic})/gu,
  new RegExp(`(?<=[${JOINING}\\p{M}])[\\u200c\\u200d](?=[${JOINING}])`, 'gu'),
  /(?<=\u{1f3f4})[\u{e0061}-\u{e007a}\u{e0030}-\u{e0039}]{2,6}\u{e007f}/gu,
]
/** Shown as nothing or as a blank, so that two different names look the same. */
const INVISIBLE =
  /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}\u2800\ufffc]/u
/** Letters carry one or two marks, seldom three; a heap of them covers the lines around it. */
const HEAP_OF_MARKS = /\p{M}{5}/u

/**
 * A name that is shown to others (a nickname, the name of a group) in the one form that it is kept in: NFC, blanks of any
 * kind as a single space, none at its ends.
 *
 * @param maxCharacters code points of that form at most
 * @returns undefined for a text that is no such name: empty, too long, more than one line, or with characters that are
 *   not seen
 */
export function toShownName(wanted: string, maxCharacters: number): string | undefined {
  const name = wanted
    .normalize('NFC')
    .replace(/\p{Zs}+/gu, ' ')
    .trim()
  const length = [...name].length
  if (length === 0 || length > maxCharacters || !isLine(name) || /^\p{M}/u.test(name)) return undefined
  const seen = VISIBLE_USES.reduce((text, use) => text.replace(use, ''), name)
  return INVISIBLE.test(seen) || HEAP_OF_MARKS.test(seen) ? undefined : name
}
