import test from 'ava'
import { BUILT_IN_MESSAGES } from '../../client/index.ts'
import type { Message } from '../../core/index.ts'
import { shown } from '../../plugins/tap/shown.ts'
import { sampleValues } from '../support/wire/samples.ts'

test('every field of the built-in messages with key material is hidden', (t) => {
  const looksSecret = /first|final|key|salt|password|proof/i
  // Names of state and requests, and the hash of a file.
  const harmless = ['once.key', 'query_state.key', 'acknowledge_event.key', 'finish_upload.sha256']
  for (const message of BUILT_IN_MESSAGES) {
    const values = JSON.parse(shown(message, sampleValues(message.fields), true))
    for (const [name, field] of Object.entries(message.fields)) {
      const isScram = field.kind === 'bytes' && field.min === 32
      if (!looksSecret.test(name) && !isScram) continue
      if (harmless.includes(`${message.name}.${name}`)) continue
      t.deepEqual(values[name], { hidden: true }, `${message.name}.${name}`)
    }
  }
})

test('the emoji of a reaction is shown as a text: only with texts', (t) => {
  const react = BUILT_IN_MESSAGES.find(({ name }) => name === 'react') as Message
  const emoji = (texts: boolean) => JSON.parse(shown(react, { id: 1, emoji: '👍', remove: false }, texts)).emoji
  t.deepEqual([emoji(false), emoji(true)], [{ bytes: 4 }, '👍'])
})

test('a very long record is shown without texts, then without lists', (t) => {
  const page = BUILT_IN_MESSAGES.find(({ name }) => name === 'on_new_message') as Message
  const item = sampleValues(page.fields).messages as Record<string, unknown>[]
  const values = (count: number, text: string) => ({
    messages: Array.from({ length: count }, () => ({ ...item[0], text })),
  })
  const few = JSON.parse(shown(page, values(2, 'hello'), true))
  t.is(few.messages[1].text, 'hello')
  const long = JSON.parse(shown(page, values(2, 'x'.repeat(40_000)), true))
  t.deepEqual(long.messages[1].text, { bytes: 40_000 })
  t.deepEqual(JSON.parse(shown(page, values(5000, 'hello'), true)), { messages: { items: 5000 } })
})
