// The example plugin, tested through the package's exports as docs/PLUGINS.md describes.
import test from 'ava'
import { testServer } from 'chatctl/testing'
import polls from '../../examples/polls/index.ts'
import { ClosePoll, CreatePoll, PollClosed, PollCreated, Vote } from '../../examples/polls/messages.ts'

test('every online user is notified of a poll, and its author gets the reply', async (t) => {
  await using server = await testServer({ plugins: [polls] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const created = { poll: 1, by: 'ann', question: 'Tea?' }
  t.deepEqual(await ann.request(CreatePoll, { question: 'Tea?' }), created)
  t.deepEqual(await bob.next(PollCreated), created)
  t.like(await server.db('poll').first(), { asked_by: 'ann', question: 'Tea?' })
})

test('the number of open polls is limited', async (t) => {
  await using server = await testServer({ plugins: [polls], pluginOptions: { polls: { maxOpen: 1 } } })
  const ann = await server.user('ann')
  await ann.request(CreatePoll, { question: 'Tea?' })
  t.is(await ann.refused(ann.request(CreatePoll, { question: 'Coffee?' })), 'polls.too_many')
})

test('every user has one vote, and the author of a poll closes it and announces the result', async (t) => {
  await using server = await testServer({ plugins: [polls] })
  const [ann, bob, carol] = [await server.user('ann'), await server.user('bob'), await server.user('carol')]
  const { poll } = await ann.request(CreatePoll, { question: 'Tea?' })
  for (const [person, choice] of [
    [ann, 'yes'],
    [bob, 'yes'],
    [carol, 'yes'],
    [carol, 'no'],
  ] as const)
    await person.request(Vote, { poll, choice })
  t.is(await bob.refused(bob.request(ClosePoll, { poll })), 'polls.not_yours')
  const result = [
    { choice: 'yes', votes: 2 },
    { choice: 'no', votes: 1 },
  ]
  t.deepEqual(await ann.request(ClosePoll, { poll }), { poll, question: 'Tea?', result })
  t.like(await carol.next(PollClosed), { poll, result })
  t.is(await bob.refused(bob.request(Vote, { poll, choice: 'yes' })), 'polls.not_open')
  t.is(await ann.refused(ann.request(ClosePoll, { poll })), 'polls.not_open')
  t.deepEqual(await server.db('poll_vote'), [])
})

test('only a bot votes on behalf of another user', async (t) => {
  await using server = await testServer({ plugins: [polls] })
  const ann = await server.user('ann')
  const clerk = await server.user('clerk', { role: 'bot' })
  const { poll } = await ann.request(CreatePoll, { question: 'Tea?' })
  await clerk.request(Vote, { poll, choice: 'yes', voter: 'bob' })
  await clerk.request(Vote, { poll, choice: 'no' })
  t.is(await ann.refused(ann.request(Vote, { poll, choice: 'no', voter: 'bob' })), 'polls.own_vote')
  t.deepEqual(await server.db('poll_vote').orderBy('voter').pluck('voter'), ['bob', 'clerk'])
})
