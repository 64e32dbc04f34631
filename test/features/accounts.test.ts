import { randomBytes } from 'node:crypto'
import { createServer, connect as dial } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Client, Login, LoginProof } from '../../client/index.ts'
import {
  frame,
  generateKeyPair,
  HandshakeState,
  MAGIC,
  openRecord,
  RecordSplitter,
  sealRecords,
} from '../../core/noise/index.ts'
import { deriveKeys, md5x10, startLogin, storedKey } from '../../core/scram/index.ts'
import { clientMessage, line, optional } from '../../core/wire/index.ts'
import { findUsers, openDatabase } from '../../db/index.ts'
import { parseVerifier } from '../../plugins/accounts/verifier.ts'
import { NewSalt, Register } from '../../plugins/registration/messages.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { readVectors } from '../support/wire/vectors.ts'

test('Alice registers and logs in under her name', async (t) => {
  const server = await startLocalServer(t)
  const stranger = await server.connect()
  t.like(await stranger.register('Alice', 'correct horse', { nickname: '小鹰 😀' }), { user: 'alice' })
  const identity = await stranger.login('alice', { password: 'correct horse' })
  t.like(identity, { user: 'alice', nickname: '小鹰 😀', role: 'user' })
})

test('stored keys log in without the password, and to their own account only', async (t) => {
  const server = await startLocalServer(t)
  const first = await server.user('alice')
  const keys = first.keys
  if (keys === undefined) return t.fail('no keys')
  await server.user('bob')
  t.like(await (await server.connect()).login('alice', { keys }), { user: 'alice' })
  await t.throwsAsync((await server.connect()).login('bob', { keys }), { message: /kept keys are not valid/ })
})

test('names of new accounts are validated and unique', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 100 } })
  const stranger = await server.connect()
  for (const name of ['-alice', 'a b', 'ålice', '小鹰', 'a'.repeat(33), 'a/b', "o'hara", '.x', 'ａlice'])
    t.is(await refusal(t, stranger.register(name, 'password')), 'invalid_name', name)
  await stranger.register('alice', 'password')
  t.is(await refusal(t, stranger.register('ALICE', 'password')), 'username_taken')
  const tooLong = stranger.register('bob', 'password', { nickname: '小'.repeat(65) })
  t.is(await refusal(t, tooLong), 'invalid_name')
  await t.throwsAsync(stranger.register('bob', 'password', { nickname: 'a\u202eb' }), { message: /control character/ })
  await stranger.register('bob', 'password', { nickname: '😀'.repeat(60) })
  // NFC makes this one longer: 64 characters of four bytes, the maximum. It must still be encodable.
  await stranger.register('carol', 'password', { nickname: '\u{1d15e}'.repeat(32) })
  t.is([...(await stranger.login('carol', { password: 'password' })).nickname].length, 64)
})

test('of two concurrent registrations of one name one succeeds', async (t) => {
  const server = await startLocalServer(t)
  const rivals = await Promise.all([server.connect(), server.connect(), server.connect()])
  const results = await Promise.allSettled(rivals.map((rival) => rival.register('alice', 'password')))
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('a wrong password and an unknown name are refused alike', async (t) => {
  const server = await startLocalServer(t)
  await server.user('alice')
  const ask = async (name: string) => {
    const client = await server.connect()
    const { serverFirst } = await client.request(Login, { clientFirst: startLogin(name).clientFirst })
    const again = await client.request(Login, { clientFirst: startLogin(name).clientFirst })
    const error = await t.throwsAsync(client.login(name, { password: 'wrong' }), { name: 'RefusedByServer' })
    const shape = serverFirst.replace(/r=[^,]+/, 'r=').replace(/s=[^,]+/, (salt) => `s=${salt.length}`)
    const salt = (text: string) => /s=([^,]+)/.exec(text)?.[1]
    return { shape, stable: salt(serverFirst) === salt(again.serverFirst), message: error?.message }
  }
  t.deepEqual(await ask('nobody'), await ask('alice'))
})

test('after the limit of failed logins an account refuses that address, whatever the case of its name', async (t) => {
  const server = await startLocalServer(t, { limits: { loginFailures: 3, messagesBeforeLogin: 100 } })
  await server.user('alice')
  const guesser = await server.connect()
  for (const name of ['alice', 'Alice', 'ALICE'])
    t.is(await refusal(t, guesser.login(name, { password: 'wrong' })), 'login_failed')
  const error = await t.throwsAsync(guesser.login('aLiCe', { password: "alice's password" }), {
    name: 'RefusedByServer',
  })
  t.like(error, { failure: 'too_many_attempts' })
  t.true((error as unknown as { retryAfter: number }).retryAfter > 0)
  await server.user('bob')
})

test('concurrent guesses get no more attempts than sequential ones', async (t) => {
  const server = await startLocalServer(t, { limits: { loginFailures: 3, unauthenticatedPerAddress: 100 } })
  await server.user('alice')
  const guessers = await Promise.all(Array.from({ length: 12 }, () => server.connect()))
  const answers = await Promise.all(
    guessers.map((guesser) => refusal(t, guesser.login('alice', { password: 'wrong' }))),
  )
  t.true(answers.filter((answer) => answer === 'login_failed').length <= 3, answers.join())
})

test('a login that is not bound to the handshake is refused', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 100 } })
  await server.user('alice')
  const client = await server.connect()
  for (const header of ['n,,', 'y,,', 'p=tls-unique,,', 'p=tls-exporter,,'])
    t.is(
      await refusal(t, client.request(Login, { clientFirst: `${header}n=alice,r=abcdef` })),
      'binding_required',
      header,
    )
  const long = `p=noise-h,,n=alice,r=${'a'.repeat(900)}`
  for (const clientFirst of ['nonsense', long])
    t.is(await refusal(t, client.request(Login, { clientFirst })), 'invalid_value')
  t.is(await refusal(t, client.request(LoginProof, { clientFinal: 'c=,r=,p=' })), 'login_failed')
})

/** A man in the middle: terminates both encryptions with his own key and relays everything. */
async function relay(t: ExecutionContext, to: { host: string; port: number }): Promise<string> {
  const s = generateKeyPair()
  const listener = createServer((victim) => {
    const server = dial(to.port, to.host)
    const toServer = new HandshakeState({ initiator: true, prologue: MAGIC })
    const toVictim = new HandshakeState({ initiator: false, prologue: MAGIC, s })
    const fromVictim = new RecordSplitter({ magic: MAGIC })
    const fromServer = new RecordSplitter()
    let waiting: Buffer[] = []
    server.write(Buffer.concat([MAGIC, frame(toServer.writeMessage())]))
    const pass = () => {
      const [cipherIn, cipherOut] = [toVictim.result?.receive, toServer.result?.send]
      if (!cipherIn || !cipherOut) return
      for (const record of waiting) server.write(sealRecords(cipherOut, openRecord(cipherIn, record)))
      waiting = []
    }
    victim.on('data', (chunk) => {
      for (const body of fromVictim.push(chunk)) {
        if (toVictim.result === undefined) {
          toVictim.readMessage(body)
          victim.write(frame(toVictim.writeMessage()))
        } else waiting.push(Buffer.from(body))
      }
      pass()
    })
    server.on('data', (chunk) => {
      for (const body of fromServer.push(chunk)) {
        if (toServer.result === undefined) toServer.readMessage(body)
        else if (toVictim.result)
          victim.write(sealRecords(toVictim.result.send, openRecord(toServer.result.receive, body)))
      }
      pass()
    })
    for (const socket of [victim, server]) socket.on('error', () => {})
    victim.on('close', () => server.destroy())
    server.on('close', () => victim.destroy())
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  t.teardown(() => listener.close())
  return `127.0.0.1:${(listener.address() as { port: number }).port}`
}

test('a login relayed by a man in the middle fails although the client does not know the real key', async (t) => {
  const server = await startLocalServer(t)
  await server.user('alice')
  const victim = await server.connect({ server: await relay(t, server) })
  t.not(victim.fingerprint, server.server.fingerprint)
  // The relay itself works: a request without channel binding passes.
  t.is((await victim.request(NewSalt, { clientSalt: randomBytes(16) })).salt.length, 32)
  t.is(await refusal(t, victim.login('alice', { password: "alice's password" })), 'login_failed')
})

test('a client with a pin does not log in to another server', async (t) => {
  const server = await startLocalServer(t)
  const pin = server.server.fingerprint
  await t.throwsAsync(server.connect({ server: await relay(t, server), pin }), { message: /not the pinned/ })
  await server.connect({ pin })
})

async function registerByHand(client: Client, user: string, password: string, clientSalt = randomBytes(16)) {
  const { salt, iterations } = await client.request(NewSalt, { clientSalt })
  const keys = await deriveKeys(password, Buffer.from(salt), iterations)
  const verifier = { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey }
  await client.request(Register, { user, ...verifier })
  return { salt: Buffer.from(salt), verifier }
}

test('both sides contribute to the salt, and a salt is valid for one account', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 100 } })
  const client = await server.connect()
  const mine = randomBytes(16)
  const { salt, verifier } = await registerByHand(client, 'alice', 'password', mine)
  t.deepEqual(salt.subarray(0, 16), mine)
  t.not((await registerByHand(client, 'bob', 'password', mine)).salt.toString('hex'), salt.toString('hex'))
  t.is(await refusal(t, client.request(Register, { user: 'carol', ...verifier })), 'no_salt')
})

test('when Alice changes her password, her other session ends and the old password is refused', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const elsewhere = await server.user('alice')
  const ended = new Promise<Error>((resolve) => elsewhere.onLife('closed', resolve))
  t.is(await refusal(t, alice.changePassword('not it', 'new one')), 'login_failed')
  await alice.changePassword("alice's password", 'new one')
  t.like(await ended, { failure: 'logged_out' })
  t.is((await alice.inbox()).messages.length, 0)
  t.is(await refusal(t, (await server.connect()).login('alice', { password: "alice's password" })), 'login_failed')
  await (await server.connect()).login('alice', { password: 'new one' })
})

test('the number of sessions of a user is limited, and an ended session frees its place', async (t) => {
  const server = await startLocalServer(t, { limits: { sessionsPerUser: 2 } })
  const first = await server.user('alice')
  await server.user('alice')
  t.is(await refusal(t, server.user('alice')), 'too_many_sessions')
  await first.close()
  await server.user('alice')
})

test('a connection logs in one user only', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  await server.user('bob')
  t.is(await refusal(t, alice.login('bob', { password: "bob's password" })), 'not_allowed')
  t.is(await refusal(t, alice.register('carol', 'password')), 'not_allowed')
})

test('a server can close registration', async (t) => {
  const server = await startLocalServer(t, { pluginOptions: { registration: { open: false, iterations: 4096 } } })
  t.is(await refusal(t, (await server.connect()).register('alice', 'password')), 'registration_closed')
})

test('registrations from one address are limited', async (t) => {
  const server = await startLocalServer(t, { limits: { registrations: 2, messagesBeforeLogin: 100 } })
  const client = await server.connect()
  await client.register('a', 'password')
  await client.register('b', 'password')
  t.is(await refusal(t, client.register('c', 'password')), 'rate_limited')
})

test('the client refuses a server that asks for too many or too few iterations', async (t) => {
  const server = await startLocalServer(t)
  const client = await server.connect()
  for (const iterations of [1, 4095, 1_000_001, 4_000_000_000]) {
    const login = startLogin('alice', 'nonce')
    const challenge = `r=noncemore,s=${randomBytes(32).toString('base64')},i=${iterations}`
    const never = () => t.fail('nothing must be derived') as never
    await t.throwsAsync(login.answer(challenge, randomBytes(32), never), { name: 'ScramError' })
  }
  t.truthy(client.fingerprint)
})

test('a login is refused when the account is disabled between challenge and proof', async (t) => {
  const server = await startLocalServer(t)
  await (await server.user('alice')).close()
  const keysOf = async (password: string, serverFirst: string) => {
    const [, salt = ''] = /s=([^,]+)/.exec(serverFirst) ?? []
    return deriveKeys(password, Buffer.from(salt, 'base64'), 4096)
  }
  const { SetUserActive } = await import('../../plugins/admin/messages.ts')
  const operator = await server.operator()
  const victim = await server.connect({ server: server.address })
  const exchange = startLogin('alice')
  const { serverFirst } = await victim.request(Login, { clientFirst: exchange.clientFirst })
  const { clientFinal } = await exchange.answer(serverFirst, victim.handshakeHash, () =>
    keysOf("alice's password", serverFirst),
  )
  await operator.request(SetUserActive, { user: 'alice', active: false })
  t.is(await refusal(t, victim.request(LoginProof, { clientFinal })), 'account_disabled')
})

test('one salt registers one account, also in three concurrent requests', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 100 } })
  const client = await server.connect()
  const { salt, iterations } = await client.request(NewSalt, { clientSalt: randomBytes(16) })
  const keys = await deriveKeys('password', Buffer.from(salt), iterations)
  const verifier = { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey }
  const made = await Promise.allSettled(['a', 'b', 'c'].map((user) => client.request(Register, { user, ...verifier })))
  t.deepEqual(
    made.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
})

test('with clients of the original enabled, new passwords use their hash, and older accounts stay unchanged', async (t) => {
  const before = await startLocalServer(t)
  await (await before.user('bob')).close()
  await before.close()
  const registration = { iterations: 4096, preHash: 'md5x10', minPassword: 1 }
  const server = await startLocalServer(t, { data: before.data, pluginOptions: { registration } })
  const alice = await server.user('alice')
  await server.user('bob')
  const password = async (name: string) =>
    (
      await openDatabase(server.db ?? `${server.data}/chat.db`).then(async (db) => {
        const [row] = await findUsers(db, [name])
        await db.destroy()
        return row
      })
    )?.password ?? ''
  t.regex(await password('alice'), /^MD5x10-SCRAM-SHA-256\$4096:/)
  t.regex(await password('bob'), /^SCRAM-SHA-256\$4096:/)
  // The stored verifier accepts the digest only.
  const verifier = parseVerifier(await password('alice'))
  const digest = await deriveKeys(md5x10("alice's password"), verifier?.salt ?? Buffer.alloc(0), 4096)
  t.deepEqual(storedKey(digest.clientKey), verifier?.storedKey)

  await alice.changePassword("alice's password", '密 码')
  t.regex(await password('alice'), /^MD5x10-/)
  await (await server.connect()).login('alice', { password: '密 码' })
  t.is(await refusal(t, (await server.connect()).login('alice', { password: md5x10('密 码') })), 'login_failed')
  // An unknown name gets the challenge of a new account.
})

/** As a client of another version may define it. */
const OtherRegister = clientMessage({
  type: Register.type,
  name: Register.name,
  about: '',
  allow: 'anonymous',
  fields: { ...Register.fields, preHash: optional(line(''), '') },
})

test('an unknown pre-hash is sent by no client and refused by the server', async (t) => {
  const server = await startLocalServer(t)
  const client = await server.connect()
  await client.request(NewSalt, { clientSalt: randomBytes(16) })
  const values = { user: 'alice', storedKey: randomBytes(32), serverKey: randomBytes(32), preHash: 'rot13' }
  const message = /preHash: must be one of empty, md5x10/
  await t.throwsAsync(client.request(Register, values as never), { name: 'WireError', message })
  await t.throwsAsync(client.request(OtherRegister, values), { name: 'RefusedByServer', message })
})

test('md5x10 computes the hash of the original', (t) => {
  const { password_hashes: hashes } = readVectors('seed-wire') as {
    password_hashes: { password: string; hash: string }[]
  }
  t.true(hashes.length > 5)
  for (const { password, hash } of hashes) t.is(md5x10(password), hash)
})
