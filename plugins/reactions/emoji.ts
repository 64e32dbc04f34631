import { Refused } from '../../core/index.ts'

/**
 * One emoji (Unicode Technical Standard 51, ED-4 to ED-17): a flag, a keycap, or pictographs joined by ZWJ with their
 * modifiers. Always one grapheme cluster. Pictographs that are not assigned yet are accepted.
 */
const EMOJI =
  /^(?:\p{RI}{2}|[0-9#*]\u{fe0f}?\u{20e3}|\p{ExtPict}(?:\u{fe0f}|\p{EMod})?(?:[\u{e0020}-\u{e007e}]+\u{e007f})?(?:\u{200d}\p{ExtPict}(?:\u{fe0f}|\p{EMod})?)*)$/u

/** An emoji in NFC. @throws Refused `invalid_value` */
export function toEmoji(given: string): string {
  const emoji = given.normalize('NFC')
  if (EMOJI.test(emoji)) return emoji
  throw new Refused('invalid_value', 'a reaction is one emoji')
}
