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
import { refusal } from '../support/play.ts'
import { openStage } from '../support/room.ts'
import { readVectors } from '../support/vectors.ts'

test('Alice registers, logs in and is who she says', async (t) => {
  const stage = await openStage(t)
  const stranger = await stage.connect()
  t.like(await stranger.register('Alice', 'correct horse', { nickname: '小鹰 😀' }), { user: 'alice' })
  const identity = await stranger.login('alice', { password: 'correct horse' })
  t.like(identity, { user: 'alice', nickname: '小鹰 😀', role: 'user' })
})

test('kept keys log in without the password, and only on the account they are for', async (t) => {
  const stage = await openStage(t)
  const first = await stage.user('alice')
  const keys = first.keys
  if (keys === undefined) return t.fail('no keys')
  await stage.user('bob')
  t.like(await (await stage.connect()).login('alice', { keys }), { user: 'alice' })
  await t.throwsAsync((await stage.connect()).login('bob', { keys }), { message: /kept keys are not valid/ })
})

test('names of new accounts are checked, and taken only once', async (t) => {
  const stage = await openStage(t, { limits: { messagesBeforeLogin: 100 } })
  const stranger = await stage.connect()
  for (const name of ['-alice', 'a b', 'ålice', '小鹰', 'a'.repeat(33), 'a/b', "o'hara", '.x', 'ａlice'])
    t.is(await refusal(t, stranger.register(name, 'password')), 'invalid_name', name)
  await stranger.register('alice', 'password')
  t.is(await refusal(t, stranger.register('ALICE', 'password')), 'username_taken')
  const tooLong = stranger.register('bob', 'password', { nickname: '小'.repeat(65) })
  t.is(await refusal(t, tooLong), 'invalid_name')
  await t.throwsAsync(stranger.register('bob', 'password', { nickname: 'a\u202eb' }), { message: /control character/ })
  await stranger.register('bob', 'password', { nickname: '😀'.repeat(60) })
  // NFC makes this one longer: 64 characters of four bytes, the most there can be. It must travel again.
  await stranger.register('carol', 'password', { nickname: '\u{1d15e}'.repeat(32) })
  t.is([...(await stranger.login('carol', { password: 'password' })).nickname].length, 64)
})

test('two who want the same name at once: one gets it', async (t) => {
  const stage = await openStage(t)
  const rivals = await Promise.all([stage.connect(), stage.connect(), stage.connect()])
  const results = await Promise.allSettled(rivals.map((rival) => rival.register('alice', 'password')))
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('a wrong password and an unknown name look the same', async (t) => {
  const stage = await openStage(t)
  await stage.user('alice')
  const ask = async (name: string) => {
    const client = await stage.connect()
    const { serverFirst } = await client.request(Login, { clientFirst: startLogin(name).clientFirst })
    const again = await client.request(Login, { clientFirst: startLogin(name).clientFirst })
    const error = await t.throwsAsync(client.login(name, { password: 'wrong' }), { name: 'RefusedByServer' })
    const shape = serverFirst.replace(/r=[^,]+/, 'r=').replace(/s=[^,]+/, (salt) => `s=${salt.length}`)
    const salt = (text: string) => /s=([^,]+)/.exec(text)?.[1]
    return { shape, stable: salt(serverFirst) === salt(again.serverFirst), message: error?.message }
  }
  t.deepEqual(await ask('nobody'), await ask('alice'))
})

test('after a few wrong passwords an account is closed to that address, whatever the case of its name', async (t) => {
  const stage = await openStage(t, { limits: { loginFailures: 3, messagesBeforeLogin: 100 } })
  await stage.user('alice')
  const guesser = await stage.connect()
  for (const name of ['alice', 'Alice', 'ALICE'])
    t.is(await refusal(t, guesser.login(name, { password: 'wrong' })), 'login_failed')
  const error = await t.throwsAsync(guesser.login('aLiCe', { password: "alice's password" }), {
    name: 'RefusedByServer',
  })
  t.like(error, { failure: 'too_many_attempts' })
  t.true((error as unknown as { retryAfter: number }).retryAfter > 0)
  await stage.user('bob')
})

test('guessing in parallel gets no more tries than guessing in turn', async (t) => {
  const stage = await openStage(t, { limits: { loginFailures: 3, unauthenticatedPerAddress: 100 } })
  await stage.user('alice')
  const guessers = await Promise.all(Array.from({ length: 12 }, () => stage.connect()))
  const answers = await Promise.all(
    guessers.map((guesser) => refusal(t, guesser.login('alice', { password: 'wrong' }))),
  )
  t.true(answers.filter((answer) => answer === 'login_failed').length <= 3, answers.join())
})

test('a login that is not bound to the handshake is refused', async (t) => {
  const stage = await openStage(t, { limits: { messagesBeforeLogin: 100 } })
  await stage.user('alice')
  const client = await stage.connect()
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

/** A man in the middle: he ends both encryptions with his own key and passes everything on. */
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

test('a login relayed by a man in the middle fails, although the client never saw the real key', async (t) => {
  const stage = await openStage(t)
  await stage.user('alice')
  const victim = await stage.connect({ server: await relay(t, stage) })
  t.not(victim.fingerprint, stage.room.server.fingerprint)
  // The relay itself works: a request that is not bound to the handshake passes through it.
  t.is((await victim.request(NewSalt, { clientSalt: randomBytes(16) })).salt.length, 32)
  t.is(await refusal(t, victim.login('alice', { password: "alice's password" })), 'login_failed')
})

test('a pinned client does not even begin with another server', async (t) => {
  const stage = await openStage(t)
  const pin = stage.room.server.fingerprint
  await t.throwsAsync(stage.connect({ server: await relay(t, stage), pin }), { message: /not the pinned/ })
  await stage.connect({ pin })
})

async function registerByHand(client: Client, user: string, password: string, clientSalt = randomBytes(16)) {
  const { salt, iterations } = await client.request(NewSalt, { clientSalt })
  const keys = await deriveKeys(password, Buffer.from(salt), iterations)
  const verifier = { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey }
  await client.request(Register, { user, ...verifier })
  return { salt: Buffer.from(salt), verifier }
}

test('both ends make the salt, and a salt is good for one account', async (t) => {
  const stage = await openStage(t, { limits: { messagesBeforeLogin: 100 } })
  const client = await stage.connect()
  const mine = randomBytes(16)
  const { salt, verifier } = await registerByHand(client, 'alice', 'password', mine)
  t.deepEqual(salt.subarray(0, 16), mine)
  t.not((await registerByHand(client, 'bob', 'password', mine)).salt.toString('hex'), salt.toString('hex'))
  t.is(await refusal(t, client.request(Register, { user: 'carol', ...verifier })), 'no_salt')
})

test('Alice changes her password: her other session ends, the old password is worth nothing', async (t) => {
  const stage = await openStage(t)
  const alice = await stage.user('alice')
  const elsewhere = await stage.user('alice')
  const ended = new Promise<Error>((resolve) => elsewhere.onLife('closed', resolve))
  t.is(await refusal(t, alice.changePassword('not it', 'new one')), 'login_failed')
  await alice.changePassword("alice's password", 'new one')
  t.like(await ended, { failure: 'logged_out' })
  t.is((await alice.inbox()).messages.length, 0)
  t.is(await refusal(t, (await stage.connect()).login('alice', { password: "alice's password" })), 'login_failed')
  await (await stage.connect()).login('alice', { password: 'new one' })
})

test('a user has only so many sessions, and a place is free again when one ends', async (t) => {
  const stage = await openStage(t, { limits: { sessionsPerUser: 2 } })
  const first = await stage.user('alice')
  await stage.user('alice')
  t.is(await refusal(t, stage.user('alice')), 'too_many_sessions')
  await first.close()
  await stage.user('alice')
})

test('one connection has one user', async (t) => {
  const stage = await openStage(t)
  const alice = await stage.user('alice')
  await stage.user('bob')
  t.is(await refusal(t, alice.login('bob', { password: "bob's password" })), 'not_allowed')
  t.is(await refusal(t, alice.register('carol', 'password')), 'not_allowed')
})

test('a server may be closed to strangers', async (t) => {
  const stage = await openStage(t, { pluginOptions: { registration: { open: false, iterations: 4096 } } })
  t.is(await refusal(t, (await stage.connect()).register('alice', 'password')), 'registration_closed')
})

test('registrations from one address are limited', async (t) => {
  const stage = await openStage(t, { limits: { registrations: 2, messagesBeforeLogin: 100 } })
  const client = await stage.connect()
  await client.register('a', 'password')
  await client.register('b', 'password')
  t.is(await refusal(t, client.register('c', 'password')), 'rate_limited')
})

test('the client refuses a server that asks for too much or too little work', async (t) => {
  const stage = await openStage(t)
  const client = await stage.connect()
  for (const iterations of [1, 4095, 1_000_001, 4_000_000_000]) {
    const login = startLogin('alice', 'nonce')
    const challenge = `r=noncemore,s=${randomBytes(32).toString('base64')},i=${iterations}`
    const never = () => t.fail('nothing must be derived') as never
    await t.throwsAsync(login.answer(challenge, randomBytes(32), never), { name: 'ScramError' })
  }
  t.truthy(client.fingerprint)
})

test('what happens to an account between the challenge and the proof counts', async (t) => {
  const stage = await openStage(t)
  await (await stage.user('alice')).close()
  const keysOf = async (password: string, serverFirst: string) => {
    const [, salt = ''] = /s=([^,]+)/.exec(serverFirst) ?? []
    return deriveKeys(password, Buffer.from(salt, 'base64'), 4096)
  }
  const { SetUserActive } = await import('../../plugins/admin/messages.ts')
  const operator = await stage.connect({ server: { path: stage.control } })
  const victim = await stage.connect({ server: stage.address })
  const exchange = startLogin('alice')
  const { serverFirst } = await victim.request(Login, { clientFirst: exchange.clientFirst })
  const { clientFinal } = await exchange.answer(serverFirst, victim.handshakeHash, () =>
    keysOf("alice's password", serverFirst),
  )
  await operator.request(SetUserActive, { user: 'alice', active: false })
  t.is(await refusal(t, victim.request(LoginProof, { clientFinal })), 'account_disabled')
})

test('one salt makes one account, also for three who ask at once', async (t) => {
  const stage = await openStage(t, { limits: { messagesBeforeLogin: 100 } })
  const client = await stage.connect()
  const { salt, iterations } = await client.request(NewSalt, { clientSalt: randomBytes(16) })
  const keys = await deriveKeys('password', Buffer.from(salt), iterations)
  const verifier = { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey }
  const made = await Promise.allSettled(['a', 'b', 'c'].map((user) => client.request(Register, { user, ...verifier })))
  t.deepEqual(
    made.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
})

test('where clients of the original are let in, new passwords are hashed their way, and older accounts stay as they are', async (t) => {
  const before = await openStage(t)
  await (await before.user('bob')).close()
  await before.room.close()
  const registration = { iterations: 4096, preHash: 'md5x10', minPassword: 1 }
  const stage = await openStage(t, { data: before.data, pluginOptions: { registration } })
  const alice = await stage.user('alice')
  await stage.user('bob')
  const password = async (name: string) =>
    (
      await openDatabase(stage.db ?? `${stage.data}/chat.db`).then(async (db) => {
        const [row] = await findUsers(db, [name])
        await db.destroy()
        return row
      })
    )?.password ?? ''
  t.regex(await password('alice'), /^MD5x10-SCRAM-SHA-256\$4096:/)
  t.regex(await password('bob'), /^SCRAM-SHA-256\$4096:/)
  // What the table holds opens with the digest, and with nothing else.
  const verifier = parseVerifier(await password('alice'))
  const digest = await deriveKeys(md5x10("alice's password"), verifier?.salt ?? Buffer.alloc(0), 4096)
  t.deepEqual(storedKey(digest.clientKey), verifier?.storedKey)

  await alice.changePassword("alice's password", '密 码')
  t.regex(await password('alice'), /^MD5x10-/)
  await (await stage.connect()).login('alice', { password: '密 码' })
  t.is(await refusal(t, (await stage.connect()).login('alice', { password: md5x10('密 码') })), 'login_failed')
  // A name that nobody has gets the challenge of a new account.
})

/** As a client of another version may define it. */
const OtherRegister = clientMessage({
  type: Register.type,
  name: Register.name,
  about: '',
  allow: 'anonymous',
  fields: { ...Register.fields, preHash: optional(line(''), '') },
})

test('a pre-hash that nobody knows is sent by no client, and refused by the server', async (t) => {
  const stage = await openStage(t)
  const client = await stage.connect()
  await client.request(NewSalt, { clientSalt: randomBytes(16) })
  const values = { user: 'alice', storedKey: randomBytes(32), serverKey: randomBytes(32), preHash: 'rot13' }
  const message = /preHash: must be one of empty, md5x10/
  await t.throwsAsync(client.request(Register, values as never), { name: 'WireError', message })
  await t.throwsAsync(client.request(OtherRegister, values), { name: 'RefusedByServer', message })
})

test('the hash of the original, as it made it', (t) => {
  const { password_hashes: hashes } = readVectors('seed-wire') as {
    password_hashes: { password: string; hash: string }[]
  }
  t.true(hashes.length > 5)
  for (const { password, hash } of hashes) t.is(md5x10(password), hash)
})
