/** Made by scripts/build-web.mjs from emoji-picker-element-data. */
declare module 'virtual:emoji' {
  /** Emoji, number of its group, name in English, name in Chinese. */
  export type EmojiRow = readonly [emoji: string, group: number, en: string, zh: string]
  export const EMOJI: readonly EmojiRow[]
}
