import assert from 'node:assert/strict'
import test from 'node:test'
import { testServer } from 'chatctl/testing'
import bot, { botWith } from './bot.ts'
import type { Model } from './model.ts'

const DEBOUNCE_MS = 800

test('it answers, and several messages in a row get one answer', async () => {
  await using server = await testServer()
  await server.bot(bot, '{{name}}')
  const ann = await server.user('ann')
  await ann.says('{{name}}', 'hello')
  await ann.says('{{name}}', 'are you there?')
  await server.clock.advance(DEBOUNCE_MS)
  await ann.hears('You said: are you there?')
  await ann.hearsNothing()
})

test('in a group it answers who names it', async () => {
  await using server = await testServer()
  await server.bot(bot, '{{name}}')
  const ann = await server.user('ann')
  await ann.joins('ops')
  await (await server.user('{{name}}', { role: 'bot' })).joins('ops')
  await ann.says({ group: 'ops' }, 'anybody?')
  await server.clock.advance(DEBOUNCE_MS)
  await ann.says({ group: 'ops' }, '@{{name}} hello')
  await server.clock.advance(DEBOUNCE_MS)
  await ann.hears('You said: @{{name}} hello', { group: 'ops' })
  await ann.hearsNothing()
})

test('a model gets the history, and may choose to say nothing', async () => {
  const seen: string[] = []
  const silent: Model = {
    async *answer({ history }) {
      seen.push(...history.map(({ name, text }) => `${name}: ${text}`))
      yield 'NO_REPLY'
    },
  }
  await using server = await testServer()
  await server.bot(botWith(silent), '{{name}}')
  const ann = await server.user('ann')
  await ann.says('{{name}}', 'thanks')
  await server.clock.advance(DEBOUNCE_MS)
  await ann.hearsNothing()
  assert.deepEqual(seen, ['ann: thanks'])
})
