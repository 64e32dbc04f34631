import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AddHook, ChangeHook, type Client, CreateRoom, JoinRoom, QueryHooks, RotateHook } from '../../client/index.ts'
import { definePlugin } from '../../core/index.ts'
import { HookAttempted } from '../../plugins/hooks/events.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { type Received, startReceiver, verify } from '../support/http/receiver.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000]
const START = new Date('2030-01-01T00:00:00Z')

/** Counts attempts, by the events of the plugin. */
function attemptCounter() {
  const outcomes: string[] = []
  let wake = () => {}
  return {
    outcomes,
    plugin: definePlugin({
      name: 'counting',
      setup(app) {
        app.on(HookAttempted, ({ outcome }) => {
          outcomes.push(outcome)
          wake()
        })
      },
    }),
    async reach(count: number) {
      while (outcomes.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
  }
}

/** A server that can be restarted on its data, on one clock. */
async function openStage(t: ExecutionContext) {
  const receiver = await startReceiver(t)
  const attempts = attemptCounter()
  const data = await tempFolder(t)
  const clock = new TestClock(START)
  const start = () =>
    startLocalServer(t, {
      data,
      clock,
      plugins: [attempts.plugin],
      // Clients that are silent for hours stay connected.
      limits: { ping: 1e12, dead: 1e12 },
      pluginOptions: { hooks: { networks: ['127.0.0.1'], ports: [receiver.port] } },
    })
  return { receiver, attempts, clock, start }
}

test('a receiver that is down for six hours, with two restarts, gets everything, in order and signed', async (t) => {
  const { receiver, attempts, clock, start } = await openStage(t)
  let server = await start()
  let clients = new Map<string, Client>()
  const sent: { readonly id: number; readonly conversation: string }[] = []
  const enter = async () => {
    clients = new Map()
    for (const name of ['alice', 'carol', 'bob']) clients.set(name, await server.user(name))
  }
  const say = async (from: string, text: string, group = '') => {
    const client = clients.get(from) as Client
    const { id } = await client.send(group === '' ? 'bob' : { group }, text)
    sent.push({ id, conversation: group === '' ? from : `@${group}` })
  }
  const round = async (text: string) => {
    await say('alice', text)
    await say('carol', text)
    await say('alice', text, 'ops')
  }
  const restart = async () => {
    await server.close()
    server = await start()
    await enter()
  }
  await enter()
  await clients.get('alice')?.request(CreateRoom, { group: 'ops' })
  await clients.get('bob')?.request(JoinRoom, { group: 'ops' })
  const operator = await server.operator()
  const { secret } = await operator.request(AddHook, {
    user: 'bob',
    url: receiver.url,
    kinds: '',
    reply: false,
    to: [],
  })

  // The first event of each conversation is attempted; the others wait for it.
  receiver.isDown = true
  await round('at once')
  await attempts.reach(3)
  for (const [index, pause] of [5 * SECOND, 5 * MINUTE, 30 * MINUTE].entries()) {
    clock.jump(pause)
    await attempts.reach(3 * (index + 2))
    await round(`after pause ${index}`)
  }
  await restart()
  await round('after a restart')
  clock.jump(2 * HOUR)
  await attempts.reach(15)
  await restart()
  await round('after another one')
  clock.jump(6 * HOUR - (clock.time() - START.getTime()))
  await round('after six hours')
  t.deepEqual(new Set(attempts.outcomes), new Set(['failed']))
  t.is(attempts.outcomes.length, 15, 'the sixth attempts are due later')
  t.is((await (await server.operator()).request(QueryHooks, {})).hooks[0]?.state, 'failing')

  receiver.isDown = false
  clock.jump(2 * HOUR)
  await receiver.arrived(sent.length)
  await attempts.reach(15 + sent.length)
  t.is(receiver.received.length, sent.length)
  const conversationOf = new Map(sent.map(({ id, conversation }) => [id, conversation]))
  for (const conversation of ['alice', 'carol', '@ops'])
    t.deepEqual(
      receiver.ids().filter((id) => conversationOf.get(id) === conversation),
      sent.filter((one) => one.conversation === conversation).map(({ id }) => id),
      conversation,
    )
  for (const one of receiver.received) t.like(verify(secret, one, clock.time()), { data: { id: one.data.id } })
  const { hooks } = await (await server.operator()).request(QueryHooks, {})
  t.like(hooks, { 0: { state: 'ok', pending: 0, dead: 0 } })
})

test('what a restart interrupts is delivered by the next server', async (t) => {
  const { receiver, attempts, start } = await openStage(t)
  const server = await start()
  const [alice] = [await server.user('alice'), await server.user('bob')]
  await (await server.operator()).request(AddHook, {
    user: 'bob',
    url: receiver.url,
    kinds: '',
    reply: false,
    to: [],
  })
  // It takes the request and does not answer before the server stops.
  receiver.respond = () => {}
  const { id } = await alice.send('bob', 'one')
  await receiver.arrived(1)
  await server.close()
  t.deepEqual(attempts.outcomes, [], 'an interrupted attempt is none')
  receiver.respond = (_received, response) => response.writeHead(204).end()
  await start()
  await attempts.reach(1)
  t.deepEqual(receiver.ids(), [id, id])
  t.is(receiver.received[0]?.headers['webhook-id'], receiver.received[1]?.headers['webhook-id'])
})

test('on a server with another secret a hook is disabled until it is rotated', async (t) => {
  const { receiver, attempts, start } = await openStage(t)
  const first = await start()
  await first.user('alice')
  await first.user('bob')
  const add = { user: 'bob', url: receiver.url, kinds: '', reply: false, to: [] }
  const { hook } = await (await first.operator()).request(AddHook, add)
  await first.close()
  await rm(join(first.data, 'server.secret'))
  const second = await start()
  const operator = await second.operator()
  const state = async () => (await operator.request(QueryHooks, {})).hooks[0]
  t.like(await state(), {
    state: 'disabled',
    reason: 'its secret was encrypted by another server: rotate it, then enable it',
  })
  t.is(await refusal(t, operator.request(ChangeHook, { hook, change: 'enable' })), 'not_allowed')
  const { secret } = await operator.request(RotateHook, { hook })
  await operator.request(ChangeHook, { hook, change: 'enable' })
  await (await second.user('alice')).send('bob', 'hi')
  await attempts.reach(1)
  t.deepEqual(attempts.outcomes, ['delivered'])
  t.truthy(verify(secret, receiver.received[0] as Received, START.getTime()))
})
