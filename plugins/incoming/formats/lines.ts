/** Parts of a text that are not empty, one a line. */
export const lines = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n')

/** `title <url>`, or what there is of it. */
export function link(title: string, url: string): string {
  if (url === '' || title === url) return title
  return title === '' ? `<${url}>` : `${title} <${url}>`
}

/** `name: value`; on lines of its own where the value has several. */
export function entry(name: string, value: string): string {
  if (name === '' || value === '') return name + value
  return value.includes('\n') ? `${name}:\n${value}` : `${name}: ${value}`
}

export const LIGHTS = { red: '🔴', yellow: '🟡', green: '🟢', blue: '🔵', none: '⚪' } as const

const NAMED: Readonly<Record<string, string>> = { good: LIGHTS.green, warning: LIGHTS.yellow, danger: LIGHTS.red }

/** One of five lights for a colour: a name of Slack's, `#rrggbb`, or a number. Empty without a colour. */
export function light(color: unknown): string {
  if (typeof color === 'string' && NAMED[color] !== undefined) return NAMED[color]
  const hex = typeof color === 'string' ? /^#?([0-9a-f]{6})$/i.exec(color)?.[1] : undefined
  const value = typeof color === 'number' ? color : hex === undefined ? undefined : Number.parseInt(hex, 16)
  return value === undefined ? '' : lightOf(value >> 16, (value >> 8) & 0xff, value & 0xff)
}

function lightOf(red: number, green: number, blue: number): string {
  const strongest = Math.max(red, green, blue)
  const spread = strongest - Math.min(red, green, blue)
  if (spread < 40) return LIGHTS.none
  if (strongest === blue) return LIGHTS.blue
  if (strongest === green) return red > green * 0.8 ? LIGHTS.yellow : LIGHTS.green
  return green > red * 0.55 ? LIGHTS.yellow : LIGHTS.red
}

/** Zero width: keeps programs and clients from taking a word for a mention of all. */
const BREAK = '\u200b'

/** Texts of other programs mention nobody. */
export const withoutMentions = (text: string): string =>
  text.replaceAll(/@(?=(all|everyone|here|channel|room)\b)/gi, `@${BREAK}`)

const ELLIPSIS = '…'

/** At most `max` bytes of a text, at the border of a character. */
export function cut(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text
  const end = max - Buffer.byteLength(ELLIPSIS)
  const kept = Buffer.from(text)
    .subarray(0, end)
    .toString()
    .replace(/\ufffd+$/, '')
  return kept + ELLIPSIS
}
