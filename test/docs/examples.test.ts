// The example bots, tested through the package's exports as docs/BOTS.md describes.
import test from 'ava'
import { testServer } from 'chatctl/testing'
import sharp from 'sharp'
import echo from '../../examples/echo-bot.ts'
import onCall from '../../examples/on-call-bot/index.ts'
import pollBot from '../../examples/poll-bot.ts'
import polls from '../../examples/polls/index.ts'
import { CreatePoll } from '../../examples/polls/messages.ts'
import thumbnail from '../../examples/thumbnail-bot.ts'
import { drawing } from '../support/files/pictures.ts'

const MINUTE = 60_000

test('the echo bot greets and repeats', async (t) => {
  await using server = await testServer()
  await server.bot(echo, 'echo')
  const ann = await server.user('ann')
  t.is(await ann.asks('echo', 'Hello there'), 'Hello, ann!')
  t.is(await ann.asks('echo', 'one two'), 'one two')
})

// In a week in which Carol is on call first.
const MONDAY = new Date('2030-01-07T08:50:00Z')

async function openOps() {
  const server = await testServer({ clock: MONDAY })
  const [ann, bob, carol] = [await server.user('ann'), await server.user('bob'), await server.user('carol')]
  const dave = await server.user('dave')
  await dave.joins('ops')
  const bot = await server.bot(onCall, 'on-call')
  return { server, ann, bob, carol, dave, bot }
}

test('the on-call bot asks one user after the other, each for five minutes', async (t) => {
  const { server, ann, bob, carol, dave } = await openOps()
  await using _ = server
  t.is(await dave.asks({ group: 'ops' }, '/alarms'), 'There were none.')
  t.is(await dave.asks({ group: 'ops' }, '/alarm disk full'), 'Looking for someone: disk full')
  await carol.hears('disk full (from dave). Do you take it? (yes / no)')
  await server.clock.advance(5 * MINUTE - 1)
  await ann.hearsNothing()
  await server.clock.advance(1)
  await carol.hears('Too late, I ask the next one.')
  await ann.hears(/disk full/)
  await ann.says('on-call', 'no')
  await bob.hears(/disk full/)
  await bob.says('on-call', 'Yes')
  await dave.hears('bob takes it: disk full')
  t.is(await dave.asks({ group: 'ops' }, '/alarms'), 'disk full: bob')
})

test('the on-call bot reports an alarm that nobody takes, also after a restart', async (t) => {
  const { server, ann, bob, carol, dave, bot } = await openOps()
  await using _ = server
  await dave.says({ group: 'ops' }, '/alarm fire')
  await dave.hears('Looking for someone: fire')
  await carol.hears(/fire/)
  await bot.stop()
  await server.clock.advance(4 * MINUTE)
  await server.bot(onCall, 'on-call')
  await server.clock.advance(MINUTE)
  await carol.hears('Too late, I ask the next one.')
  for (const person of [ann, bob]) {
    await person.hears(/fire/)
    await person.says('on-call', 'no')
  }
  await dave.hears('Nobody takes it: fire')
  t.is(await dave.asks({ group: 'ops' }, '/alarms'), 'fire: nobody')
})

test('the on-call bot announces on Mondays who is asked first', async (t) => {
  const { server, dave } = await openOps()
  await using _ = server
  await server.clock.advance(10 * MINUTE - 1)
  await dave.hearsNothing()
  await server.clock.advance(1)
  t.is((await dave.hears(/This week/)).text, 'This week: carol')
})

test('the poll bot opens polls, votes on behalf of users, and closes polls', async (t) => {
  await using server = await testServer({ plugins: [polls] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  for (const person of [ann, bob]) await person.joins('polls')
  await server.bot(pollBot, 'polls')
  const group = { group: 'polls' }
  t.is(await ann.asks(group, '/poll Tea or coffee?'), 'Poll 1 is open: Tea or coffee?')
  t.is(await ann.asks(group, '/vote 1 tea'), 'ann voted tea.')
  t.is(await bob.asks(group, '/vote 1 tea'), 'bob voted tea.')
  t.is(await bob.asks(group, '/vote 1 coffee'), 'bob voted coffee.')
  t.is(await ann.asks('polls', '/close 1'), 'Tea or coffee?\n1 × coffee\n1 × tea')
  await ann.request(CreatePoll, { question: 'Cake?' })
  await bob.hears('ann asks: Cake? (2)', group)
})

test('the thumbnail bot answers a picture with its thumbnail, and says what is none', async (t) => {
  await using server = await testServer()
  await server.bot(thumbnail, 'thumbnail')
  const ann = await server.user('ann')
  const { id } = await ann.sendsFile('thumbnail', await drawing(640, 480).jpeg().toBuffer(), { name: 'sea.jpg' })
  const answer = await ann.hearsFile('sea-small.webp', { from: 'thumbnail' })
  t.like(answer, { text: 'of sea.jpg', replyTo: id, file: { type: 'image/webp', width: 320, height: 240 } })
  t.like(await sharp(answer.content).metadata(), { format: 'webp', width: 320, height: 240 })
  await ann.sendsFile('thumbnail', Buffer.from('<!doctype html>'), { name: 'page.png' })
  await ann.hears('page.png is no picture that I can read.')
  t.is(await ann.asks('thumbnail', 'hello'), 'Send me a picture.')
})
