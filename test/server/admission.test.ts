import { duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { encode, Ping } from '../../core/index.ts'
import { networkOf, plainAddress, siteOf } from '../../core/session/address.ts'
import { LoginFailed } from '../../core/wire/index.ts'
import { Login, LoginSuccessful } from '../../plugins/login/messages.ts'
import { type TestServer, testServer } from '../../testing/index.ts'
import { enter, logIn } from '../support/wire/raw-client.ts'

/** A connection from an address, without handshake. */
function dialFrom(server: TestServer, address: string) {
  const [near, far] = duplexPair({ allowHalfOpen: false })
  near.once('close', () => far.destroy())
  far.once('close', () => near.destroy())
  near.on('error', () => {})
  near.resume()
  server.server.accept(far, { address, isOperator: false })
  return near
}

const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await nextTurn()
}

test('idle connections from many addresses do not evict a peer that is logging in', async (t) => {
  await using server = await testServer({ limits: { unauthenticated: 20, unauthenticatedPerAddress: 10 } })
  const alice = await enter(dialFrom(server, '203.0.113.1'))
  alice.say(encode(Login, 1, { clientFirst: 'n,,n=alice,r=0123456789abcdef' }))
  await settle()
  const attackers = Array.from({ length: 200 }, (_, n) => dialFrom(server, `198.51.100.${n % 15}`))
  await settle()
  t.false(alice.socket.destroyed)
  t.is(attackers.filter(({ destroyed }) => !destroyed).length, 19)
  // Some of the fifteen addresses have two of the nineteen connections: these are evicted for a new one.
  const bob = dialFrom(server, '203.0.113.2')
  dialFrom(server, '198.51.100.1')
  await settle()
  t.false(bob.destroyed)
})

test('within one address a new connection evicts an idle one, not the one that has sent most', async (t) => {
  await using server = await testServer({ limits: { unauthenticatedPerAddress: 3 } })
  const address = '203.0.113.1'
  const logging = await enter(dialFrom(server, address))
  logging.say(encode(Ping, 1, {}))
  const greeted = await enter(dialFrom(server, address))
  const idle = dialFrom(server, address)
  await settle()
  const newest = dialFrom(server, address)
  await settle()
  t.deepEqual(
    [logging.socket, greeted.socket, idle, newest].map(({ destroyed }) => destroyed),
    [false, false, true, false],
  )
})

test('addresses of one IPv6 /64 count as one, and a /48 has eight times as many', async (t) => {
  await using server = await testServer({ limits: { unauthenticatedPerAddress: 2 } })
  const open = (streams: readonly { destroyed: boolean }[]) => streams.filter(({ destroyed }) => !destroyed).length
  const network = Array.from({ length: 10 }, (_, n) => dialFrom(server, `2001:db8:1:1::${n + 1}`))
  await settle()
  t.is(open(network), 2)
  const site = Array.from({ length: 30 }, (_, n) => dialFrom(server, `2001:db8:2:${n.toString(16)}::1`))
  await settle()
  t.is(open(site), 16)
})

test('connections beyond the rate of a network are closed at once; those of other networks and later ones are not', async (t) => {
  await using server = await testServer({ limits: { connectRate: 1, connectBurst: 3 } })
  const burst = Array.from({ length: 5 }, (_, n) => dialFrom(server, `2001:db8::${n}`))
  await settle()
  t.deepEqual(
    burst.map(({ destroyed }) => destroyed),
    [false, false, false, true, true],
  )
  t.false(dialFrom(server, '203.0.113.1').destroyed)
  await server.clock.advance(1000)
  const later = dialFrom(server, '2001:db8::9')
  await settle()
  t.false(later.destroyed)
})

test('sessions of one address have a limit, which ends with them and which others do not share', async (t) => {
  await using server = await testServer({ limits: { sessionsPerAddress: 2 } })
  for (const name of ['alice', 'bob', 'carol']) await server.account(name)
  const login = async (name: string, address: string) => {
    const peer = await enter(dialFrom(server, address))
    await logIn(peer, name, { keys: await server.account(name), settled: () => server.settled() })
    return peer
  }
  const types = async (name: string, address: string) => (await login(name, address)).heard.at(-1)?.type
  const first = await login('alice', '2001:db8::1')
  t.is(first.heard.at(-1)?.type, LoginSuccessful.type)
  t.is(await types('bob', '2001:db8::2'), LoginSuccessful.type)
  t.is(await types('carol', '2001:db8::3'), LoginFailed.type)
  t.is(await types('carol', '203.0.113.1'), LoginSuccessful.type)
  first.socket.destroy()
  await server.settled()
  t.is(await types('carol', '2001:db8::3'), LoginSuccessful.type)
})

test('failed logins and registrations are also limited by network', async (t) => {
  await using server = await testServer({ limits: { registrations: 2 } })
  const outcomes: unknown[] = []
  for (const n of [1, 2, 3]) {
    const client = await server.connect({ server: () => dialFrom(server, `2001:db8::${n}`), reconnect: false })
    outcomes.push(
      await client.register(`user${n}`, 'correct horse').then(
        () => 'ok',
        ({ failure }) => failure,
      ),
    )
  }
  t.deepEqual(outcomes.slice(0, 2), ['ok', 'ok'])
  t.is(outcomes[2], 'rate_limited')
})

test('addresses are grouped into networks', (t) => {
  const cases: [string, string, string | undefined][] = [
    ['203.0.113.7', '203.0.113.7', undefined],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:DB8::1', '2001:db8:0:0::/64', '2001:db8:0::/48'],
    ['2001:db8:1:0002::', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['::1', '0:0:0:0::/64', '0:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0::/48'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64', '64:ff9b:0::/48'],
    ['control', 'control', undefined],
    ['unknown', 'unknown', undefined],
  ]
  for (const [address, network, site] of cases) {
    t.is(networkOf(address), network, address)
    t.is(siteOf(address), site, address)
  }
  t.is(plainAddress('::ffff:203.0.113.7'), '203.0.113.7')
  t.is(plainAddress('2001:db8::1'), '2001:db8::1')
})
