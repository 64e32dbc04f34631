import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import pino from 'pino'
import { definePlugin } from '../../core/index.ts'
import { CreateRoom, InviteToRoom, JoinRoom, QueryRooms, RenameRoom } from '../../plugins/groups/messages.ts'
import { legacy } from '../../plugins/legacy/index.ts'
import { testServer } from '../../testing/index.ts'
import {
  dialOriginalClient,
  type Heard,
  openOriginalClient,
  packFrame,
} from '../support/original-client/original-client.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

const LEGACY = { legacy: { host: '127.0.0.1', port: 0 } }

async function enter(t: ExecutionContext, server: LocalServer, name: string) {
  await server.user(name)
  const client = await openOriginalClient(t, server)
  t.is(await client.login(name, `${name}'s password`), name)
  await client.lists()
  return client
}

const derivations = (server: LocalServer) =>
  (server.server.status() as { legacyDerivations?: number }).legacyDerivations ?? 0

test('no keys are derived for registrations over the limit or of taken or invalid names', async (t) => {
  const server = await startLocalServer(t, { ...LEGACY, limits: { registrations: 4 } })
  const register = async (name: string) => (await openOriginalClient(t, server)).register(name, 'password', name)
  t.is(await register('alice'), 101)
  t.is(derivations(server), 1)
  t.is(await register('alice'), 202)
  t.is(await register('no name'), 203)
  t.is(await register('system'), 202)
  for (let more = 0; more < 5; more++) t.is(await register(`more${more}`), 203, 'over the limit')
  t.is(derivations(server), 1)
})

test('no keys are derived for a login over the limit, except for accounts that have logged in from that address', async (t) => {
  const server = await startLocalServer(t, { ...LEGACY, limits: { loginFailures: 2, loginFailuresPerAddress: 4 } })
  await server.user('alice')
  await server.user('carol')
  const logIn = async (name: string, password: string) => {
    const before = derivations(server)
    const nickname = await (await openOriginalClient(t, server)).login(name, password)
    return [nickname, derivations(server) - before]
  }
  t.deepEqual(await logIn('', 'x'), [undefined, 0])
  t.deepEqual(await logIn('a\0b', 'x'), [undefined, 0])
  // The same work for existing and unknown names.
  for (const name of ['carol', 'nobody']) {
    for (let guess = 0; guess < 2; guess++) t.deepEqual(await logIn(name, 'wrong'), [undefined, 1], name)
  }
  for (const name of ['nobody', 'other', 'one more']) t.deepEqual(await logIn(name, 'wrong'), [undefined, 0], name)
  // Alice has logged in from this address, and others behind the same tunnel do not lock her out.
  t.deepEqual(await logIn('alice', "alice's password"), ['alice', 1])
})

test('unauthenticated clients cannot fill the log, and their input is not logged as an error', async (t) => {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const server = await startLocalServer(t, { ...LEGACY, log })
  await server.user('alice')
  lines.length = 0
  for (const bytes of ['junk!!!', packFrame(1, 'alice'), packFrame(7, 'alice'), packFrame(1, 'a\0b', 'f'.repeat(32))]) {
    const client = await openOriginalClient(t, server)
    client.socket.write(bytes)
    // The reply ends the dialog; its content does not matter here.
    client.socket.resume()
    await client.end()
  }
  t.is(await (await openOriginalClient(t, server)).register('\u0007', 'password', 'x'), 203)
  t.deepEqual(lines, [])
})

test('many invitations from one user are shown as one dialog, the last, and messages of friends arrive', async (t) => {
  const pluginOptions = { legacy: { dialogPause: 60_000, spacing: 10 } }
  const server = await startLocalServer(t, { ...LEGACY, pluginOptions, limits: { invitationsToOne: 100 } })
  const carol = await enter(t, server, 'carol')
  const mallory = await server.user('mallory')
  const invite = async (number: number) => {
    await mallory.request(CreateRoom, { group: `group ${number}` })
    await mallory.request(InviteToRoom, { group: `group ${number}`, user: 'carol' })
  }
  await invite(0)
  t.deepEqual(await carol.hears(141), ['mallory invites you to the group group 0'])
  for (let number = 1; number < 30; number++) await invite(number)
  // Her next frame shows that she has closed the dialog.
  carol.click()
  carol.askLists()
  t.deepEqual(await carol.hears(141), ['mallory invites you to the group group 29'])
  const bob = await server.user('bob')
  await bob.send('carol', 'hello')
  carol.click()
  carol.askLists()
  const heard: Heard[] = []
  while (heard.at(-1)?.type !== 121) heard.push(await carol.next())
  t.true(heard.at(-1)?.values.includes('hello\n'))
  t.false(
    [...heard, ...carol.unheard].some(({ type }) => type === 141),
    'no more dialogs',
  )
})

test('a list that changes many times is sent in its final state, after few queries', async (t) => {
  let lists = 0
  const counter = definePlugin({
    name: 'lists',
    setup: (app) => void app.on(QueryRooms, () => lists++),
  })
  const server = await startLocalServer(t, {
    ...LEGACY,
    plugins: [counter],
    pluginOptions: { legacy: { spacing: 10 } },
  })
  const mallory = await server.user('mallory')
  await mallory.request(CreateRoom, { group: 'name 0' })
  const native = await server.user('carol')
  await native.request(JoinRoom, { group: 'name 0' })
  const carol = await openOriginalClient(t, server)
  await carol.login('carol', "carol's password")
  t.deepEqual(await carol.lists(), ['no friend', '群:name%200'])
  const before = lists
  for (let number = 0; number < 20; number++)
    await mallory.request(RenameRoom, { group: `name ${number}`, name: `name ${number + 1}` })
  for (let rows: string | undefined; rows !== '群:name%2020'; ) [, rows] = await carol.hears(105)
  t.true(lists - before < 20, `${lists - before} lists`)
})

test('frames that are no requests count as pings after the login', async (t) => {
  await using server = await testServer({
    plugins: [legacy],
    pluginOptions: { legacy: LEGACY.legacy },
    limits: { signalRate: 1, signalBurst: 5 },
  })
  const address = server.status()['legacy.legacy'] as string
  t.is(await (await dialOriginalClient(t, address)).register('alice', 'secret', 'alice'), 101)
  const alice = await dialOriginalClient(t, address)
  await alice.login('alice', 'secret')
  for (let n = 0; n < 7; n++) alice.send(44, 'x')
  const lists = alice.lists()
  // The sixth frame waits for a token, then the seventh, then the request.
  for (let n = 1; n <= 3; n++) {
    while (server.clock.timers(1000).set < n) await nextTurn()
    t.deepEqual(alice.unheard, [])
    await server.clock.advance(1000)
  }
  t.deepEqual(await lists, ['no friend', 'no chatroom'])
})
