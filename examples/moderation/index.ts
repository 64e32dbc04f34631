import { definePlugin, Refused } from 'chatctl'
import { ChatroomMessage, EditMessage, SendMessage } from 'chatctl/plugins'
import { z } from 'zod'

/**
 * Keeps words out of all messages: load it with `chatctl serve --plugin ./examples/moderation/index.ts`.
 * What it fails at passes: a fault in here must not silence everybody.
 */
export default definePlugin({
  name: 'moderation',
  version: '0.1.0',
  api: '^1.0',
  options: z.strictObject({
    /** Whole words, in whatever case. */
    words: z.array(z.string().min(1)).default([]),
    /** Tells the sender; `mask` lets the message through with stars in their place. */
    action: z.enum(['refuse', 'mask']).default('refuse'),
  }),
  setup(app, { options, log }) {
    const words = new Set(options.words.map(plain))
    let refused = 0
    let masked = 0

    const moderate = <V extends { readonly text: string }>(user: string, values: V): V | undefined => {
      const found = values.text.match(WORD)?.filter((word) => words.has(plain(word))) ?? []
      if (found.length === 0) return undefined
      log.info({ user, found: found.length }, 'forbidden words')
      if (options.action === 'refuse') {
        refused++
        throw new Refused('moderation.word', `please say it without "${found[0]}"`)
      }
      masked++
      const text = values.text.replace(WORD, (word) => (words.has(plain(word)) ? '*'.repeat([...word].length) : word))
      return { ...values, text }
    }

    // Late, so that other rules see what was written; what they amend is looked at all the same.
    const rule = { order: 100, timeout: 1000, failure: 'open' } as const
    app.before(SendMessage, ({ user }, message) => moderate(user.name, message), rule)
    app.before(ChatroomMessage, ({ user }, message) => moderate(user.name, message), rule)
    app.before(EditMessage, ({ user }, message) => moderate(user.name, message), rule)
    app.status(() => ({ refused, masked }))
  },
})

/** Letters, marks and digits in a row. */
const WORD = /[\p{L}\p{M}\p{N}]+/gu
/** The same for every way to write a word: full width, accents set apart, capitals. */
const plain = (word: string) => word.normalize('NFKC').toLowerCase()
