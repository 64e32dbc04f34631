import { randomBytes } from 'node:crypto'
import test from 'ava'
import { makeKey, makeVerifier } from '../../cli/client/verifier.ts'
import { LoginProof } from '../../client/index.ts'
import { definePlugin } from '../../core/index.ts'
import { CreateUser } from '../../plugins/admin/messages.ts'
import { Register } from '../../plugins/registration/messages.ts'
import { openShell } from '../support/processes/shell.ts'
import { startLocalServer } from '../support/server.ts'

/** A malicious server: it offers few iterations and records the client's requests. */
function impostor() {
  const sent: string[] = []
  const plugin = definePlugin({
    name: 'impostor',
    setup(app) {
      app.before(LoginProof, () => void sent.push('a proof'))
      app.before(Register, () => void sent.push('keys'))
    },
  })
  return { plugin, sent }
}

/** The default of `connect`. */
const careful = { leastIterations: undefined } as unknown as { leastIterations: number }

test('at first contact a server cannot lower the iterations of a password, for login or registration', async (t) => {
  const { plugin, sent } = impostor()
  const server = await startLocalServer(t, { plugins: [plugin] })
  await (await server.user('alice')).close()
  sent.length = 0
  const alice = await server.connect(careful)
  const tooFew = { code: 'weak_server', message: /4096 iterations, fewer than 600000/ }
  await t.throwsAsync(alice.login('alice', { password: "alice's password" }), tooFew)
  await t.throwsAsync(alice.register('bob', 'a password'), tooFew)
  t.deepEqual(sent, [], 'nothing was sent that allows guessing offline')

  const pinned = { pin: server.server.fingerprint, ...careful }
  const atHome = await server.connect(pinned)
  await atHome.login('alice', { password: "alice's password" })
  t.deepEqual(sent, ['a proof'], 'a server with a pinned key may use few iterations')
  const { keys } = atHome
  if (keys === undefined) return t.fail('no keys')
  await (await server.connect(careful)).login('alice', { keys })
  await t.throwsAsync(atHome.changePassword('wrong', 'another one'), { name: 'RefusedByServer' })
})

test('a random key may have few iterations; a password that resembles one may not', async (t) => {
  const server = await startLocalServer(t)
  await using operator = await server.operator()
  const { key, verifier } = await makeKey(operator)
  await operator.request(CreateUser, { user: 'dice', role: 'bot', ...verifier })
  const password = 'ckey_tradition'
  await operator.request(CreateUser, { user: 'carol', ...(await makeVerifier(operator, password)) })
  t.like(await (await server.connect(careful)).login('dice', { password: key }), { role: 'bot' })
  const carol = await server.connect(careful)
  await t.throwsAsync(carol.login('carol', { password }), { code: 'weak_server' })
})

test('every new password has the configured minimum length', async (t) => {
  const server = await startLocalServer(t, { pluginOptions: { registration: { iterations: 4096, minPassword: 6 } } })
  const tooShort = { code: 'password', message: /at least 6 characters/ }
  const client = await server.connect()
  await t.throwsAsync(client.register('alice', '小鹰小鹰小'), tooShort)
  await t.throwsAsync(client.register('alice', 'a\u0301'.repeat(5)), tooShort, 'as they are after normalisation')
  await client.register('alice', '小鹰小鹰小鹰')
  await client.login('alice', { password: '小鹰小鹰小鹰' })
  await t.throwsAsync(client.changePassword('小鹰小鹰小鹰', 'short'), tooShort)
  await using operator = await server.operator()
  await t.throwsAsync(makeVerifier(operator, 'x'), tooShort)
  t.is((await makeVerifier(operator, randomBytes(3).toString('hex'))).iterations, 4096)
})

test('shell: short passwords are refused, and accounts are created alike with the server running or stopped', async (t) => {
  const shell = await openShell(t)
  const env = { CHATCTL_OPTIONS: '{"registration":{"iterations":5000,"minPassword":8}}' }
  const create = (name: string, ...more: string[]) =>
    shell.run(['users', 'create', name, '--data', './room', ...more], { env, input: 'seven77' })
  for (const serving of [false, true]) {
    const server = serving ? await shell.serve([], { env }) : undefined
    const refused = await create('carl', '--password-file', '-')
    t.is(refused.code, 2)
    t.regex(refused.stderr, /at least 8 characters/)
    t.is((await create(`bot${serving}`, '--bot')).code, 0)
    await server?.stop()
  }
  const { openDatabase } = await import('../../db/index.ts')
  const db = await openDatabase(`${shell.folder}/room/chat.db`)
  const passwords = (await db('userinfo').select('password')).map(({ password }) => String(password).split(':')[0])
  await db.destroy()
  t.deepEqual(passwords, ['SCRAM-SHA-256$5000', 'SCRAM-SHA-256$5000'])
})
