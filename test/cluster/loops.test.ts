import test from 'ava'
import { CreateRoom, JoinRoom } from '../../client/index.ts'
import { echo, rawBot } from '../support/bots/raw-bot.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { refusal } from '../support/requests.ts'

test('two bots on two nodes that answer each other are stopped, in private and in a group', async (t) => {
  const [one, two] = (await startNodes(t, 2, { limits: { botTurns: 10 } })) as [Node, Node]
  const [ping, pong] = [await rawBot(one, 'ping'), await rawBot(two, 'pong')]
  const ends = [ping, pong].map((client) =>
    echo(client, ({ from, group }) => client.send(group === undefined ? from : { group }, 'you too')),
  )
  await ping.send('pong', 'hello')
  t.is(await Promise.race(ends), 'bot_loop')
  const said = [...(await ping.inbox({ all: true })).messages, ...(await pong.inbox({ all: true })).messages]
  t.deepEqual(
    said.map(({ hops }) => hops).sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  await Promise.all([ping.close(), pong.close()])
  await Promise.all(ends)
  const [tick, tock] = [await rawBot(one, 'tick'), await rawBot(two, 'tock')]
  await tick.request(CreateRoom, { group: 'bells' })
  await tock.request(JoinRoom, { group: 'bells' })
  const inGroup = [tick, tock].map((client) =>
    echo(client, ({ group }) => client.send({ group: group ?? '' }, 'and you')),
  )
  await tick.send({ group: 'bells' }, 'hello')
  t.is(await Promise.race(inGroup), 'bot_loop')
  await Promise.all([tick.close(), tock.close()])
  await Promise.all(inGroup)
})

test('a message of a person on one node starts a new chain on the other', async (t) => {
  const [one, two] = (await startNodes(t, 2, { limits: { botTurns: 2 } })) as [Node, Node]
  const [ping, pong] = [await rawBot(one, 'ping'), await rawBot(two, 'pong')]
  const alice = await one.user('alice')
  const bells = { group: 'bells' }
  await ping.request(CreateRoom, bells)
  for (const member of [pong, alice]) await member.request(JoinRoom, bells)
  const [atPing, atPong] = [ping, pong].map((client) => client.messages()[Symbol.asyncIterator]())
  await ping.send(bells, 'ding')
  await atPong?.next()
  await pong.send(bells, 'dong')
  await atPing?.next()
  await ping.send(bells, 'ding')
  await atPong?.next()
  t.is(await refusal(t, pong.send(bells, 'dong')), 'bot_loop')
  await alice.send(bells, 'what is it?')
  t.like((await atPong?.next())?.value, { from: 'alice' })
  await t.notThrowsAsync(pong.send(bells, 'three o’clock'))
})
