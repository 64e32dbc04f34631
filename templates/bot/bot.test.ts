import assert from 'node:assert/strict'
import test from 'node:test'
import { testServer } from 'chatctl/testing'
import bot from './bot.ts'

test('it rolls a die, and says how it wants to be asked', async () => {
  await using server = await testServer()
  await server.bot(bot, '{{name}}')
  const ann = await server.user('ann')
  assert.match(await ann.asks('{{name}}', '/roll 20'), /^You rolled \d+\.$/)
  assert.match(await ann.asks('{{name}}', '/roll many'), /usage: \/roll \[sides\]/)
  assert.equal(await ann.asks('{{name}}', 'Thanks!'), 'Any time!')
})

test('an order waits a minute for its answer', async () => {
  await using server = await testServer()
  await server.bot(bot, '{{name}}')
  const ann = await server.user('ann')
  await ann.asks('{{name}}', '/order')
  assert.equal(await ann.asks('{{name}}', 'tea'), 'One tea, coming up.')
  await ann.asks('{{name}}', '/order')
  await server.clock.advance(60_000)
  await ann.hears('Another time, then.')
})
