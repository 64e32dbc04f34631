import test, { type ExecutionContext } from 'ava'
import { CreateRoom, JoinRoom } from '../../client/index.ts'
import { definePlugin } from '../../core/index.ts'
import { BotLoop } from '../../plugins/messages/events.ts'
import { echo, rawBot } from '../support/bots/raw-bot.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

type Loop = { readonly bots: readonly string[]; readonly group: string; readonly hops: number }

/** A server whose loop events are recorded, and bots on it. */
async function openLab(t: ExecutionContext, limits = {}) {
  const loops: Loop[] = []
  const watcher = definePlugin({
    name: 'watcher',
    setup: (app) => app.on(BotLoop, (loop) => loops.push(loop)),
  })
  const stage = await startLocalServer(t, { plugins: [watcher], limits })
  const bot = (name: string) => rawBot(stage, name)
  return { stage, loops, bot }
}

test('two bots that answer each other in private are stopped, although neither gives its hops', async (t) => {
  const { loops, bot } = await openLab(t)
  const [ping, pong] = [await bot('ping'), await bot('pong')]
  const ends = [ping, pong].map((client) => echo(client, ({ from }) => client.send(from, 'you too')))
  await ping.send('pong', 'hello')
  t.is(await Promise.race(ends), 'bot_loop')
  const said = [...(await ping.inbox({ all: true })).messages, ...(await pong.inbox({ all: true })).messages]
  t.deepEqual(
    said.map(({ hops }) => hops).sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  t.true(said.every((message) => message.bot))
  t.is(loops.length, 1)
  t.like(loops[0], { group: '', hops: 11 })
  t.deepEqual([...(loops[0]?.bots ?? [])].sort(), ['ping', 'pong'])
  await Promise.all([ping.close(), pong.close()])
  await Promise.all(ends)
})

test('bots in a group that give their hops are stopped, and a message of a person starts a new chain', async (t) => {
  const { stage, loops, bot } = await openLab(t, { botHops: 4 })
  const [ping, pong] = [await bot('ping'), await bot('pong')]
  const alice = await stage.user('alice')
  await alice.request(CreateRoom, { group: 'lab' })
  for (const client of [ping, pong]) await client.request(JoinRoom, { group: 'lab' })
  for (const count of [1, 2]) {
    const ends = [ping, pong].map((client) =>
      echo(client, ({ group = '', hops }) => client.send({ group }, 'me too', { hops: hops + 1 })),
    )
    await alice.send({ group: 'lab' }, 'hello')
    t.deepEqual(await Promise.all(ends), ['bot_loop', 'bot_loop'])
    t.is(loops.length, count)
  }
  t.like(loops[1], { group: 'lab', hops: 5 })
  t.deepEqual([...(loops[1]?.bots ?? [])].sort(), ['ping', 'pong'])
  const { messages } = await alice.groupHistory('lab', { limit: 100 })
  t.true(messages.length <= 2 * (1 + 2 + 4 + 8 + 16), 'each answer was answered once by the other')
  t.true(messages.every(({ from, hops }) => (from === 'alice' ? hops === 0 : hops >= 1 && hops <= 4)))
})

test('bots in a group that give no hops are stopped after a number of turns; reports of one bot do not count', async (t) => {
  const { loops, bot, stage } = await openLab(t, { botTurns: 20 })
  const [ping, pong] = [await bot('ping'), await bot('pong')]
  await ping.request(CreateRoom, { group: 'lab' })
  await pong.request(JoinRoom, { group: 'lab' })
  // Messages of one bot in a row are not answers.
  for (let index = 0; index < 50; index++) await ping.send({ group: 'lab' }, `report ${index}`)
  for (let index = 0; index < 10; index++) {
    await pong.send({ group: 'lab' }, 'pong')
    await ping.send({ group: 'lab' }, 'ping')
  }
  t.is(await refusal(t, pong.send({ group: 'lab' }, 'pong')), 'bot_loop')
  t.is(await refusal(t, pong.send({ group: 'lab' }, 'pong')), 'bot_loop')
  t.deepEqual(loops, [{ bots: ['pong', 'ping'], group: 'lab', hops: 1 }], 'one event')
  const alice = await stage.user('alice')
  await alice.request(JoinRoom, { group: 'lab' })
  await alice.send({ group: 'lab' }, 'go on')
  await pong.send({ group: 'lab' }, 'pong')
})

test('a bot that talks with a person is not stopped', async (t) => {
  const { bot, stage, loops } = await openLab(t, { botHops: 2 })
  const robot = await bot('robot')
  const alice = await stage.user('alice')
  for (let index = 0; index < 10; index++) {
    await alice.send('robot', 'question')
    await robot.send('alice', 'answer', { hops: 1 })
    await robot.send('alice', 'and more', { hops: 1 })
  }
  const { messages } = await alice.history('robot', { limit: 100 })
  t.is(messages.length, 30)
  t.true(messages.every(({ from, bot, hops }) => (from === 'robot') === bot && hops === (bot ? 1 : 0)))
  // A program that runs as a person gives hops.
  await alice.send('robot', 'by a script', { hops: 2 })
  t.is(await refusal(t, alice.send('robot', 'by a script', { hops: 3 })), 'bot_loop')
  t.is(loops.length, 1)
})

test('hops given by programs of people do not stop the bots of a group', async (t) => {
  const { bot, stage, loops } = await openLab(t, { botTurns: 5 })
  const robot = await bot('robot')
  const [alice, mallory] = [await stage.user('alice'), await stage.user('mallory')]
  await robot.request(CreateRoom, { group: 'lab' })
  for (const client of [alice, mallory]) await client.request(JoinRoom, { group: 'lab' })
  for (let index = 0; index < 10; index++)
    for (const client of [alice, mallory]) await client.send({ group: 'lab' }, 'beep', { hops: 1 })
  await robot.send({ group: 'lab' }, 'still here')
  t.deepEqual(loops, [])
})
