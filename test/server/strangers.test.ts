import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import pino from 'pino'
import { type Client, Login, LoginProof } from '../../client/index.ts'
import { definePlugin, FairSemaphore } from '../../core/index.ts'
import { startLogin } from '../../core/scram/index.ts'
import { CreateUser } from '../../plugins/admin/messages.ts'
import { refusal } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

/** A plugin that counts database statements. */
function countStatements() {
  let counted = 0
  const plugin = definePlugin({
    name: 'statements',
    setup(_app, { db }: { db: Knex }) {
      db.on('query', () => {
        counted++
      })
    },
  })
  return { plugin, count: () => counted }
}

/** The form of a login challenge for a name, without its random parts. */
async function challengeOf(client: Client, name: string) {
  const { serverFirst, preHash } = await client.request(Login, { clientFirst: startLogin(name).clientFirst })
  const [, salt = '', iterations = ''] = /s=([^,]+),i=(\d+)/.exec(serverFirst) ?? []
  return { salt, shape: `${preHash} ${iterations} ${Buffer.from(salt, 'base64').length}` }
}

const someKeys = (iterations: number, saltLength: number) => ({
  salt: randomBytes(saltLength),
  iterations,
  storedKey: randomBytes(32),
  serverKey: randomBytes(32),
})

const operatorOf = (server: LocalServer) => server.operator()

async function shapesOf(t: ExecutionContext, server: LocalServer, names: readonly string[]) {
  const client = await server.connect()
  const found = new Map<string, Awaited<ReturnType<typeof challengeOf>>>()
  for (const name of names) found.set(name, await challengeOf(client, name))
  t.is(found.size, names.length)
  return found
}

test('a login challenge costs the same number of statements for existing and unknown names', async (t) => {
  const { plugin, count } = countStatements()
  const server = await startLocalServer(t, { plugins: [plugin], limits: { messagesBeforeLogin: 100 } })
  await server.user('alice')
  const mallory = await server.connect()
  const costOf = async (name: string) => {
    const before = count()
    await challengeOf(mallory, name)
    return count() - before
  }
  const costs = async () => {
    const found: Record<string, number> = {}
    for (const name of ['alice', 'ALICE', 'nobody', 'NOBODY', 'alice', 'nobody']) found[name] = await costOf(name)
    return found
  }
  const all = { alice: 1, ALICE: 1, nobody: 1, NOBODY: 1 }
  t.deepEqual(await costs(), all, 'at first')
  t.deepEqual(await costs(), all, 'asked again')
  await (await server.user('carol')).close()
  t.deepEqual(await costs(), all, 'after a registration')
  await (await operatorOf(server)).request(CreateUser, { user: 'dave', ...someKeys(4096, 32) })
  t.deepEqual(await costs(), all, 'after the operator has created an account')
})

test('challenges of unknown names have the iterations, pre-hash and salt length of existing ones', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 1000 } })
  const operator = await operatorOf(server)
  // Bot keys of older versions, and passwords from before a change of the iterations.
  const kinds = [someKeys(4096, 32), someKeys(5000, 32), { ...someKeys(5000, 16), preHash: 'md5x10' as const }]
  const shapes = [' 4096 32', ' 5000 32', 'md5x10 5000 16']
  for (let number = 0; number < 12; number++)
    await operator.request(CreateUser, { user: `user${number}`, ...(kinds[number % 3] as (typeof kinds)[0]) })
  const strangers = Array.from({ length: 100 }, (_, number) => `stranger${number}`)
  const first = await shapesOf(t, server, strangers)
  const known = await shapesOf(t, server, ['user0', 'user1', 'user2'])
  t.deepEqual(
    [...known.values()].map(({ shape }) => shape),
    shapes,
  )
  t.deepEqual([...new Set([...first.values()].map(({ shape }) => shape))].sort(), shapes)
  t.deepEqual(await shapesOf(t, server, strangers), first, 'asked again')
  t.deepEqual((await shapesOf(t, server, ['STRANGER1'])).get('STRANGER1'), first.get('stranger1'))
  await server.close()
  const later = await startLocalServer(t, { data: server.data, limits: { messagesBeforeLogin: 1000 } })
  t.deepEqual(await shapesOf(t, later, strangers), first, 'after a restart')
})

test('a new account changes the challenge of few unknown names, and in the way of a changed password', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 1000 } })
  const operator = await operatorOf(server)
  for (let number = 0; number < 9; number++)
    await operator.request(CreateUser, { user: `user${number}`, ...someKeys(5000, 32) })
  const strangers = Array.from({ length: 100 }, (_, number) => `stranger${number}`)
  const before = await shapesOf(t, server, strangers)
  await operator.request(CreateUser, { user: 'other', ...someKeys(6000, 32) })
  const after = await shapesOf(t, server, strangers)
  const changed = strangers.filter((name) => before.get(name)?.shape !== after.get(name)?.shape)
  t.true(changed.length < 30, `${changed.length} of 100`)
  for (const name of strangers) t.is(before.get(name)?.salt === after.get(name)?.salt, !changed.includes(name), name)
})

test('wrong passwords of others do not lock Alice out from an address of an earlier login; new addresses wait', async (t) => {
  const limits = { loginFailures: 3, loginFailuresPerAddress: 3, messagesBeforeLogin: 100 }
  const server = await startLocalServer(t, { limits })
  await (await server.user('alice')).close()
  await (await operatorOf(server)).request(CreateUser, { user: 'newcomer', ...someKeys(4096, 32) })
  const mallory = await server.connect()
  const guess = async (name: string) => {
    const error = await t.throwsAsync(mallory.login(name, { password: 'wrong' }), { name: 'RefusedByServer' })
    const { failure, retryAfter } = error as unknown as { failure: string; retryAfter: number }
    // The limit counts an hour's failures of all accounts.
    return `${failure}${retryAfter > 60_000 ? ', for long' : ''}`
  }
  for (const name of ['x', 'y', 'z']) t.is(await guess(name), 'login_failed')
  // From here on all names are refused alike: unknown, existing, familiar, or with attempts left.
  const TOO_MANY = 'too_many_attempts, for long'
  for (const name of ['newcomer', 'nobody', 'alice']) t.is(await guess(name), TOO_MANY, name)
  await (await server.user('alice')).close()
  for (let round = 0; round < 4; round++)
    for (const name of ['alice', 'nobody']) t.is(await guess(name), TOO_MANY, name)
  t.is(await refusal(t, server.user('alice')), 'too_many_attempts', 'guesses at Alice are limited too')
})

test('successful logins of a user have a rate, without delaying others', async (t) => {
  const server = await startLocalServer(t, { limits: { logins: 3 } })
  for (let login = 0; login < 3; login++) await (await server.user('alice')).close()
  const error = await t.throwsAsync(server.user('alice'), { name: 'RefusedByServer' })
  t.like(error, { failure: 'rate_limited' })
  t.true((error as unknown as { retryAfter: number }).retryAfter > 0)
  await server.user('bob')
})

test('password changes have the same rate', async (t) => {
  const server = await startLocalServer(t, { limits: { logins: 3 } })
  const alice = await server.user('alice')
  await alice.changePassword("alice's password", 'one')
  await alice.changePassword('one', 'two')
  t.is(await refusal(t, alice.changePassword('two', 'three')), 'rate_limited')
  await server.user('bob')
})

test('attempts beyond the limits before login are not logged', async (t) => {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const limits = { loginFailures: 2, loginFailuresPerAddress: 2, messagesBeforeLogin: 100 }
  const server = await startLocalServer(t, { log, limits })
  const mallory = await server.connect()
  lines.length = 0
  const failures: string[] = []
  for (let number = 0; number < 10; number++) {
    await challengeOf(mallory, 'alice')
    failures.push(await refusal(t, mallory.request(LoginProof, { clientFinal: 'no proof' })))
  }
  t.deepEqual(failures, [...Array(2).fill('login_failed'), ...Array(8).fill('too_many_attempts')])
  const audit = (await readFile(`${server.data}/audit.log`, 'utf8')).trim().split('\n')
  t.deepEqual([lines.length, audit.length], [2, 2])
})

test('nicknames accept emoji and joining scripts, and refuse invisible characters', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 1000 } })
  const client = await server.connect()
  const seen = ['小鹰 😀', '👩🏽‍🚀', '👨‍👩‍👧', '❤️‍🔥', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'می‌خواهم', 'क्‍ष', 'Zoë', 'a\u3000b']
  for (const [number, nickname] of seen.entries())
    t.truthy(await client.register(`user${number}`, 'a password', { nickname }), nickname)
  const hidden = [
    'bob\u200b',
    'b\u00adob',
    'b\u2060ob',
    'bob\ufe0f',
    'b\u200dob',
    'bob\u{e0062}',
    'bob\u3164',
    '\u2800',
    '\u0301bob',
    `bob${'\u0301\u0323'.repeat(4)}`,
  ]
  for (const nickname of hidden)
    t.is(await refusal(t, client.register('mallory', 'a password', { nickname })), 'invalid_name', escape(nickname))
})

test('the fair semaphore serves keys in turn, one piece of work each', async (t) => {
  const semaphore = new FairSemaphore(2, 1)
  const done: string[] = []
  const ends: (() => void)[] = []
  const begun: string[] = []
  const work = (key: string, name: string) =>
    semaphore.run(key, async () => {
      begun.push(name)
      await new Promise<void>((resolve) => ends.push(resolve))
      done.push(name)
    })
  const all = [
    ...['m1', 'm2', 'm3', 'm4'].map((name) => work('mallory', name)),
    work('alice', 'a1'),
    work('bob', 'b1'),
    semaphore.run('carol', () => Promise.reject(new Error('fails'))).catch((error: Error) => done.push(error.message)),
  ]
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  await settle()
  t.deepEqual(begun, ['m1', 'a1'], 'at most two at once and one per key')
  ends.shift()?.()
  await settle()
  t.deepEqual(begun, ['m1', 'a1', 'm2'], 'the first key whose work may run')
  while (ends.length > 0) {
    ends.shift()?.()
    await settle()
  }
  await Promise.all(all)
  t.deepEqual([...done].sort(), ['a1', 'b1', 'fails', 'm1', 'm2', 'm3', 'm4'])
  t.true(begun.indexOf('b1') < begun.indexOf('m4'))
})
