import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { aliceAndBob, json, works } from './alice-and-bob.ts'

/** What users keep of themselves: profiles and devices, from the shell. */

test.serial('a profile is set and shown from the shell; what is not named stays', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, ['profile', ...args, '--context', who, '-o', 'json'])
  t.like(json(await as('alice', 'show')), { user: 'alice', nickname: '小鹰', about: '', avatar: '', changedAt: 0 })
  t.like(json(await as('alice', 'set', '--avatar', '{"hair":1}')), { avatar: '{"hair":1}', about: '' })
  t.like(json(await as('alice', 'set', '--about', '在线')), { avatar: '{"hair":1}', about: '在线' })
  t.like(json(await as('bob', 'show', 'alice')), { avatar: '{"hair":1}', about: '在线' })
  t.like(json(await as('alice', 'set', '--about', '')), { avatar: '{"hair":1}', about: '' })
  t.is((await shell.run(['profile', 'set', '--context', 'alice'])).code, 2)
  t.is((await shell.run(['profile', 'set', '--context', 'alice', '--avatar', 'hair'])).code, 5)
  t.is((await shell.run(['profile', 'show', 'nobody', '--context', 'alice'])).code, 5)
})

test.serial('tokens are created, listed and revoked from the shell, also by the operator for a user', async (t) => {
  const { shell } = await aliceAndBob(t)
  const own = (...args: string[]) => works(t, shell, ['tokens', ...args, '--context', 'alice'])
  const token = (await own('create', 'deploy', '--scope', 'send,read', '--to', '@ops, bob')).stdout.trim()
  t.regex(token, /^chatctl_\w{49}$/)
  const forBob = ['--user', 'bob', '--data', './room', '-o', 'json']
  const created = json(await works(t, shell, ['tokens', 'create', 'ci', ...forBob, '--expires', '12h']))
  t.true(Math.abs(Date.parse(created.expiresAt) - Date.now() - 43_200_000) < 60_000)
  const listed = json(await own('list', '-o', 'json'))
  t.like(listed, [{ name: 'deploy', scopes: 'send,read', to: ['@ops', 'bob'], usedAt: null }])
  t.like(json(await works(t, shell, ['tokens', 'list', ...forBob])), [{ id: created.id, name: 'ci', scopes: 'send' }])
  await own('revoke', String(listed[0].id))
  t.deepEqual(json(await own('list', '-o', 'json')), [])
  t.is((await shell.run(['tokens', 'revoke', String(created.id), '--context', 'alice'])).code, 5)
  for (const wrong of [
    ['create', 'x', '--scope', 'all'],
    ['create', 'x', '--scope', ''],
    ['create', 'x', '--to', 'a,,b'],
    ['create', 'x', '--expires', 'soon'],
    ['revoke', 'x'],
  ])
    t.is((await shell.run(['tokens', ...wrong, '--context', 'alice'])).code, 2, wrong.join(' '))
})

test.serial('incoming hooks are created, listed and revoked from the shell', async (t) => {
  const { shell } = await aliceAndBob(t)
  const hooks = (...args: string[]) => works(t, shell, ['hooks', 'incoming', ...args, '--context', 'alice'])
  await works(t, shell, ['groups', 'create', 'ops', '--context', 'alice'])
  t.regex((await hooks('create', 'alerts', '--group', 'ops', '-o', 'plain')).stdout, /^\/hooks\/chatctl_\w{49}\n$/)
  const signed = json(await hooks('create', 'git', '--to', 'alice', '--format', 'github', '--signed', '-o', 'json'))
  t.regex(signed.secret, /^[0-9a-f]{64}$/)
  t.like(json(await hooks('list', '-o', 'json')), [
    { name: 'alerts', group: 'ops', format: 'auto', signed: false, usedAt: null },
    { name: 'git', to: 'alice', format: 'github', signed: true },
  ])
  await hooks('revoke', String(signed.id))
  t.is(json(await hooks('list', '-o', 'json')).length, 1)
  for (const wrong of [
    ['create', 'x'],
    ['create', 'x', '--to', 'alice', '--group', 'ops'],
    ['create', 'x', '--to', 'alice', '--format', 'teams'],
    ['revoke', 'x'],
  ])
    t.is((await shell.run(['hooks', 'incoming', ...wrong, '--context', 'alice'])).code, 2, wrong.join(' '))
})

test.serial('devices are listed and revoked from the shell', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (...args: string[]) => works(t, shell, [...args, '--context', 'alice', '-o', 'json'])
  const list = async () => json(await as('devices', 'list'))
  t.deepEqual(await list(), [])
  const add = async (name: string): Promise<number> => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = publicKey.export({ format: 'der', type: 'spki' }).toString('hex')
    return json(await as('inject', 'add_device', `name=${name}`, `publicKey=hex:${key}`)).device
  }
  const ids = [await add('phone'), await add('tablet'), await add('desk')]
  t.like(await list(), [
    { device: ids[0], name: 'phone', sessions: 0, usedAt: null },
    { name: 'tablet' },
    { name: 'desk' },
  ])
  t.deepEqual(json(await as('devices', 'revoke', String(ids[0]))), [{ device: ids[0], done: 'revoked' }])
  t.is((await shell.run(['devices', 'revoke', String(ids[0]), '--context', 'alice'])).code, 5)
  t.is(json(await as('devices', 'revoke', '--all')).length, 2)
  t.deepEqual(await list(), [])
  for (const wrong of [[], ['x'], ['1', '--all']])
    t.is((await shell.run(['devices', 'revoke', '--context', 'alice', ...wrong])).code, 2, wrong.join(' '))
})
