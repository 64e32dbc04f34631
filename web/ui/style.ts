import type { Style } from '../shared/model.ts'

/** Font families that are shown, with their substitutes on systems without them. */
export const FONTS: Readonly<Record<string, string>> = {
  Arial: 'Arial, "Liberation Sans", sans-serif',
  'Times New Roman': '"Times New Roman", "Liberation Serif", serif',
  'Courier New': '"Courier New", "Liberation Mono", monospace',
  Georgia: 'Georgia, serif',
  Verdana: 'Verdana, sans-serif',
  SimSun: 'SimSun, "Songti SC", "Noto Serif CJK SC", serif',
  SimHei: 'SimHei, "Heiti SC", "Noto Sans CJK SC", sans-serif',
  KaiTi: 'KaiTi, "Kaiti SC", STKaiti, serif',
  FangSong: 'FangSong, STFangsong, serif',
}

export const [MIN_SIZE, MAX_SIZE] = [8, 32]

/** Lowest contrast of text against its background, WCAG level AA. */
const MIN_CONTRAST = 4.5

/** Backgrounds of messages, as in style/theme.css. */
const BACKGROUNDS = {
  light: { mine: '#dcebff', other: '#ffffff' },
  dark: { mine: '#1f3a5c', other: '#262a31' },
} as const

const NAMES: Readonly<Record<string, string>> = {
  black: '#000000',
  blue: '#0000ff',
  green: '#008000',
  red: '#ff0000',
  white: '#ffffff',
  yellow: '#ffff00',
}

type Rgb = readonly [number, number, number]

/** A colour of the form `#rrggbb` or one of a few names; undefined for anything else. */
function parseColour(colour: string): Rgb | undefined {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(NAMES[colour.toLowerCase()] ?? colour)
  if (hex === null) return undefined
  return [Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16), Number.parseInt(hex[3] ?? '', 16)]
}

/** Relative luminance of WCAG. */
function luminance(rgb: Rgb): number {
  const [red, green, blue] = rgb.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: Rgb, other: Rgb): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

const mix = (from: Rgb, to: number, share: number): Rgb =>
  from.map((value) => Math.round(value + (to - value) * share)) as unknown as Rgb

/** The colour, moved towards black or white until it is readable on the background of a message. */
function readable(colour: Rgb, background: Rgb, isDark: boolean): string {
  let result = colour
  for (let step = 1; step <= 20 && contrast(result, background) < MIN_CONTRAST; step++)
    result = mix(colour, isDark ? 255 : 0, step / 20)
  return `rgb(${result.join(' ')})`
}

/** CSS of a sender's style: known fonts, sizes within bounds, and a colour that can be read. */
export function styleOf(style: Style | undefined, place: { readonly isDark: boolean; readonly mine: boolean }) {
  if (style === undefined) return {}
  const { font = '', fontSize = 0, color = '' } = style
  const background = parseColour(BACKGROUNDS[place.isDark ? 'dark' : 'light'][place.mine ? 'mine' : 'other'])
  const colour = parseColour(color)
  return {
    ...(Object.hasOwn(FONTS, font) && { fontFamily: FONTS[font] }),
    ...(fontSize > 0 && { fontSize: `${Math.min(Math.max(fontSize, MIN_SIZE), MAX_SIZE)}pt` }),
    ...(colour && background && { color: readable(colour, background, place.isDark) }),
  }
}
