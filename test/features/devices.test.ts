import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import test from 'ava'
import { makeVerifier } from '../../cli/client/verifier.ts'
import {
  AddDevice,
  type Client,
  LoginDevice,
  QueryDevices,
  RevokeDevice,
  SetUserActive,
  SetUserPassword,
} from '../../client/index.ts'
import { testServer } from '../../testing/index.ts'
import { addDevice, closing, newKey } from '../support/device-key.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const devicesOf = async (client: Client) => (await client.request(QueryDevices, {})).devices

test('Alice adds her phone, which then logs in without her password, also after a restart', async (t) => {
  const server = await startLocalServer(t)
  const desk = await server.user('alice')
  const phone = await addDevice(desk, 'alice')
  const client = await server.connect()
  t.like(await client.loginWithDevice(phone), { user: 'alice', role: 'user' })
  t.is(client.keys, undefined)
  await client.send('alice', 'a note')
  t.like(await devicesOf(client), [{ device: phone.device, name: 'phone', sessions: 1, current: true }])
  const [listed] = await devicesOf(desk)
  t.false(listed?.current)
  t.true((listed?.usedAt ?? 0) >= (listed?.addedAt ?? 0))
  await server.close()

  const again = await startLocalServer(t, { data: server.data })
  const later = await again.connect()
  await later.loginWithDevice({ ...phone, user: 'ALICE' })
  t.is((await later.history('alice')).messages.length, 1)
})

test('a key is a point or SubjectPublicKeyInfo on P-256; the same key twice is one device', async (t) => {
  await using server = await testServer()
  const { client: alice } = await server.user('alice')
  const key = newKey()
  const add = (publicKey: Uint8Array, name = 'phone') => alice.request(AddDevice, { name, publicKey })
  const { device } = await add(key.point)
  t.is((await add(key.spki, 'again')).device, device)
  const client = await server.connect()
  await client.loginWithDevice({ user: 'alice', device, sign: key.sign })

  const offCurve = Buffer.concat([Buffer.of(4), randomBytes(64)])
  for (const wrong of [offCurve, newKey('P-384').spki.subarray(0, 120), newKey('secp256k1').spki, randomBytes(91)])
    t.is(await refusal(t, add(wrong)), 'invalid_value')
  for (const name of ['\u2800', 'a'.repeat(65), 'a\u200bb'])
    t.is(await refusal(t, add(newKey().spki, name)), 'invalid_value')
  t.is((await devicesOf(alice)).length, 1)
})

test('an unknown user, an unknown device, one of another user and a wrong signature get the same answer', async (t) => {
  await using server = await testServer()
  const [{ client: alice }, { client: bob }] = [await server.user('alice'), await server.user('bob')]
  const [alices, bobs] = [await addDevice(alice, 'alice'), await addDevice(bob, 'bob')]
  const attempts = [
    { ...alices, user: 'nobody' },
    { ...alices, user: 'system' },
    { ...alices, device: 999 },
    { ...bobs, user: 'alice' },
    { ...alices, sign: newKey().sign },
    { ...alices, sign: async () => randomBytes(64) },
  ]
  const answers = new Set<string>()
  for (const attempt of attempts) {
    const error = await t.throwsAsync((await server.connect()).loginWithDevice(attempt))
    answers.add(JSON.stringify({ ...error, message: error?.message }))
  }
  t.is(answers.size, 1)
  t.regex([...answers].join(), /login_failed/)
})

test('a signature is good for one connection only', async (t) => {
  await using server = await testServer()
  const phone = await addDevice((await server.user('alice')).client, 'alice')
  const [first, second] = [await server.connect(), await server.connect()]
  let signature: Uint8Array = new Uint8Array()
  await first.loginWithDevice({
    ...phone,
    sign: async (data) => {
      signature = await phone.sign(data)
      return signature
    },
  })
  const { user, device } = phone
  t.is(await refusal(t, second.request(LoginDevice, { user, device, signature })), 'login_failed')
})

test('failures with a device count as those with a password', async (t) => {
  await using server = await testServer({ limits: { loginFailures: 3 } })
  const keys = await server.account('alice')
  const phone = await addDevice((await server.user('alice')).client, 'alice')
  const failing = { ...phone, sign: newKey().sign }
  for (let n = 0; n < 3; n++) t.is(await refusal(t, (await server.connect()).loginWithDevice(failing)), 'login_failed')
  t.is(await refusal(t, (await server.connect()).loginWithDevice(phone)), 'too_many_attempts')
  t.is(await refusal(t, (await server.connect()).login('alice', { keys })), 'too_many_attempts')
})

test('a revoked device is out at once, and only that one', async (t) => {
  await using server = await testServer()
  const { client: desk } = await server.user('alice')
  const [phone, tablet] = [await addDevice(desk, 'alice'), await addDevice(desk, 'alice', 'tablet')]
  const clients = [await server.connect(), await server.connect(), await server.connect()] as const
  const [one, two, other] = clients
  await one.loginWithDevice(phone)
  await two.loginWithDevice(phone)
  await other.loginWithDevice(tablet)
  const closed = [one, two].map(closing)
  await desk.request(RevokeDevice, { device: phone.device })
  t.deepEqual(await Promise.all(closed), ['logged_out', 'logged_out'])
  t.is(await refusal(t, (await server.connect()).loginWithDevice(phone)), 'login_failed')
  t.is(await refusal(t, desk.request(RevokeDevice, { device: phone.device })), 'no_device')
  t.like(await devicesOf(other), [{ name: 'tablet', current: true, sessions: 1 }])

  const gone = closing(other)
  await other.request(RevokeDevice, { device: tablet.device })
  t.is(await gone, 'logged_out', 'its own device, after the reply')
})

test('a login and the revocation of its device at the same time leave no session behind', async (t) => {
  await using server = await testServer()
  const { client: desk } = await server.user('alice')
  for (let round = 0; round < 10; round++) {
    const phone = await addDevice(desk, 'alice')
    const client = await server.connect()
    const closed = closing(client)
    const [login] = await Promise.allSettled([
      client.loginWithDevice(phone),
      desk.request(RevokeDevice, { device: phone.device }),
    ])
    if (login.status === 'fulfilled') t.is(await closed, 'logged_out')
    else t.is((login.reason as { failure: string }).failure, 'login_failed')
  }
  t.deepEqual(await devicesOf(desk), [])
})

test('another password ends all devices; the session that changed it stays', async (t) => {
  const server = await startLocalServer(t)
  const desk = await server.user('alice')
  const phone = await addDevice(desk, 'alice')
  const [first, second] = [await server.connect(), await server.connect()]
  await first.loginWithDevice(phone)
  await second.loginWithDevice(phone)
  const closed = [closing(desk), closing(second)]
  await first.changePassword("alice's password", 'another one')
  t.deepEqual(await Promise.all(closed), ['logged_out', 'logged_out'])
  t.deepEqual(await devicesOf(first), [])
  t.is(await refusal(t, (await server.connect()).loginWithDevice(phone)), 'login_failed')

  const tablet = await addDevice(first, 'alice', 'tablet')
  await (await server.connect()).loginWithDevice(tablet)
  const operator = await server.operator()
  await operator.request(SetUserPassword, { user: 'alice', ...(await makeVerifier(operator, 'set by the operator')) })
  t.is(await refusal(t, (await server.connect()).loginWithDevice(tablet)), 'login_failed')
})

test('a device of a disabled account is told so; a wrong key is not', async (t) => {
  const server = await startLocalServer(t)
  const phone = await addDevice(await server.user('alice'), 'alice')
  await (await server.operator()).request(SetUserActive, { user: 'alice', active: false })
  t.is(await refusal(t, (await server.connect()).loginWithDevice(phone)), 'account_disabled')
  t.is(await refusal(t, (await server.connect()).loginWithDevice({ ...phone, sign: newKey().sign })), 'login_failed')
})

test('a user has a limited number of devices, and no access to those of others', async (t) => {
  await using server = await testServer({ limits: { devices: 2 } })
  const [{ client: alice }, { client: bob }] = [await server.user('alice'), await server.user('bob')]
  const [phone] = [await addDevice(alice, 'alice'), await addDevice(alice, 'alice')]
  t.is(await refusal(t, addDevice(alice, 'alice')), 'too_many')
  t.is(await refusal(t, bob.request(RevokeDevice, { device: phone.device })), 'no_device')
  t.deepEqual(await devicesOf(bob), [])
  await alice.request(RevokeDevice, { device: phone.device })
  await addDevice(alice, 'alice')
})

test('a client that logged in with a device does so again after a lost connection', async (t) => {
  await using server = await testServer({ clock: 'system' })
  const phone = await addDevice((await server.user('alice')).client, 'alice')
  const streams: Duplex[] = []
  const dial = () => {
    const stream = server.stream()
    streams.push(stream)
    return stream
  }
  const client = await server.connect({ server: dial })
  await client.loginWithDevice(phone)
  const again = new Promise<void>((resolve) => client.onLife('reconnected', resolve))
  streams[0]?.destroy()
  await again
  t.like(await devicesOf(client), [{ current: true }])
})
