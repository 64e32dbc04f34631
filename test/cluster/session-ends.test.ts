import test, { type ExecutionContext } from 'ava'
import { CreateToken, QueryDevices, RevokeDevice, RevokeToken, SetUserActive } from '../../client/index.ts'
import { definePlugin } from '../../core/index.ts'
import { type Access, tokens } from '../../plugins/index.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { addDevice, closing } from '../support/device-key.ts'
import { refusal } from '../support/requests.ts'

/** Two nodes that cannot hear each other: what is shown here comes from the log. */
async function deafNodes(t: ExecutionContext, options: Parameters<typeof startNodes>[2] = {}) {
  const [one, two] = (await startNodes(t, 2, { limits: 'off', ...options })) as [Node, Node]
  two.bus.cut()
  return [one, two] as const
}

test('a disabled user is out on the other node too, though the nodes do not hear each other', async (t) => {
  const [one, two] = await deafNodes(t)
  const bob = await two.user('bob')
  const end = closing(bob)
  await (await one.operator()).request(SetUserActive, { user: 'bob', active: false })
  t.is(await end, 'account_disabled')
  t.is(await refusal(t, two.user('bob')), 'account_disabled')
})

test('a new password ends the sessions on the other node; that which has set it and new ones go on', async (t) => {
  const [one, two] = await deafNodes(t)
  const bob = await one.user('bob')
  const old = await two.connect()
  await old.login('bob', { password: "bob's password" })
  const end = closing(old)
  await bob.changePassword("bob's password", 'a new password')
  t.is(await end, 'logged_out')
  const again = await two.connect()
  await again.login('bob', { password: 'a new password' })
  t.deepEqual((await again.inbox()).messages, [])
  t.deepEqual((await bob.inbox()).messages, [])
})

test('a revoked device is logged out on the other node, another one goes on', async (t) => {
  const [one, two] = await deafNodes(t)
  const alice = await one.user('alice')
  const [phone, tablet] = [await addDevice(alice, 'alice', 'phone'), await addDevice(alice, 'alice', 'tablet')]
  const lost = await two.connect()
  await lost.loginWithDevice(phone)
  const kept = await two.connect()
  await kept.loginWithDevice(tablet)
  const end = closing(lost)
  await alice.request(RevokeDevice, { device: phone.device })
  t.is(await end, 'logged_out')
  t.deepEqual((await kept.inbox()).messages, [])
})

test('the sessions of a device are counted over all nodes', async (t) => {
  const [one, two] = (await startNodes(t, 2)) as [Node, Node]
  const alice = await one.user('alice')
  const phone = await addDevice(alice, 'alice')
  for (const node of [one, two, two]) await (await node.connect()).loginWithDevice(phone)
  t.like((await alice.request(QueryDevices, {})).devices, [{ name: 'phone', sessions: 3 }])
})

test('what was opened with a revoked token ends on the other node, and the token opens nothing there', async (t) => {
  const entered: ((token: string) => Promise<Access>)[] = []
  const door = definePlugin({
    name: 'door',
    needs: { tokens },
    setup(_app, { needs }) {
      entered.push((token) => needs.tokens.authenticate(token, '192.0.2.1'))
    },
  })
  const [one] = await deafNodes(t, { plugins: [door] })
  const alice = await one.user('alice')
  const scopes = { send: true, read: true, manage: true }
  const [lost, kept] = [
    await alice.request(CreateToken, { name: 'a', ...scopes }),
    await alice.request(CreateToken, { name: 'b', ...scopes }),
  ]
  const enter = entered[1] ?? (() => t.fail())
  const opened = (await enter(lost.token)) as Access
  const open = (await enter(kept.token)) as Access
  const end = new Promise((resolve) => opened.token.revoked.addEventListener('abort', resolve))
  await alice.request(RevokeToken, { id: lost.id })
  await end
  await t.throwsAsync(enter(lost.token) as Promise<Access>, { message: /token/ })
  t.false(open.token.revoked.aborted)
  t.like(await enter(kept.token), { user: { name: 'alice' } })
})
