// The example plugin, tested as the reader of docs/PLUGINS.md tests one: through the package's doors.
import test from 'ava'
import { testServer } from 'chatctl/testing'
import polls from '../examples/polls/index.ts'
import { CreatePoll, PollCreated } from '../examples/polls/messages.ts'

test('everybody who is here is told of a poll, and who asks has the reply', async (t) => {
  await using server = await testServer({ plugins: [polls] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const created = { poll: 1, by: 'ann', question: 'Tea?' }
  t.deepEqual(await ann.request(CreatePoll, { question: 'Tea?' }), created)
  t.deepEqual(await bob.next(PollCreated), created)
  t.like(await server.db('poll').first(), { asked_by: 'ann', question: 'Tea?' })
})

test('enough polls are enough', async (t) => {
  await using server = await testServer({ plugins: [polls], pluginOptions: { polls: { maxOpen: 1 } } })
  const ann = await server.user('ann')
  await ann.request(CreatePoll, { question: 'Tea?' })
  t.is(await ann.refused(ann.request(CreatePoll, { question: 'Coffee?' })), 'polls.too_many')
})
