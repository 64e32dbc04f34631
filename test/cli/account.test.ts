import test from 'ava'
import { aliceAndBob, json, works } from './alice-and-bob.ts'

/** What users keep of themselves: profiles, from the shell. */

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
