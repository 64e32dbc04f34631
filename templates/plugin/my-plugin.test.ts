import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testServer } from 'chatctl/testing'
import plugin from './index.ts'
import { Thank, Thanked } from './messages.ts'

test('ann thanks bob: he is told, and it is counted', async () => {
  await using server = await testServer({ plugins: [plugin] })
  const ann = await server.user('ann')
  const bob = await server.user('bob')
  assert.equal((await ann.request(Thank, { user: 'bob', why: 'the coffee' })).times, 1)
  assert.deepEqual(await bob.next(Thanked), { by: 'ann', user: 'bob', why: 'the coffee', times: 1 })
  assert.equal((await ann.request(Thank, { user: 'bob', why: 'more coffee' })).times, 2)
  assert.equal(await ann.refused(ann.request(Thank, { user: 'nobody', why: 'nothing' })), 'user_not_exist')
})

test('a reason with a forbidden word is refused', async () => {
  const pluginOptions = { 'my-plugin': { forbidden: ['tea'] } }
  await using server = await testServer({ plugins: [plugin], pluginOptions })
  const ann = await server.user('ann')
  assert.equal(await ann.refused(ann.request(Thank, { user: 'ann', why: 'the tea' })), 'my-plugin.forbidden')
})
