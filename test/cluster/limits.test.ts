import test, { type ExecutionContext } from 'ava'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { refusal } from '../support/requests.ts'

async function twoNodes(t: ExecutionContext, limits: Record<string, number>) {
  const [one, two] = (await startNodes(t, 2, { limits })) as [Node, Node]
  /** The failure with which a login is refused. */
  const guess = async ({ connect }: Node, user: string) => {
    const client = await connect()
    const failure = await refusal(t, client.login(user, { password: 'a guess' }))
    await client.close()
    return failure
  }
  return { one, two, guess }
}

test('guesses of a password on one node count on the other', async (t) => {
  const { one, two, guess } = await twoNodes(t, { loginFailures: 3, loginFailuresPerAddress: 100 })
  await one.user('alice')
  for (let guesses = 0; guesses < 3; guesses++) t.is(await guess(one, 'alice'), 'login_failed')
  t.is(await guess(two, 'alice'), 'too_many_attempts')
  t.is(await guess(two, 'bob'), 'login_failed')
})

test('Alice, who has logged in on one node, is not locked out of the other by guesses of others at her address', async (t) => {
  const { one, two, guess } = await twoNodes(t, { loginFailures: 3, loginFailuresPerAddress: 4 })
  await one.user('alice')
  for (const name of ['bob', 'carol', 'dave', 'erin']) t.is(await guess(one, name), 'login_failed')
  t.is(await guess(two, 'frank'), 'too_many_attempts')
  const alice = await two.connect()
  await alice.login('alice', { password: "alice's password" })
  t.deepEqual((await alice.inbox()).messages, [])
})

test('registrations from one address are limited over all nodes', async (t) => {
  const { one, two } = await twoNodes(t, { registrations: 3 })
  const register = async ({ connect }: Node, name: string) => (await connect()).register(name, 'a password')
  for (const name of ['alice', 'bob']) await register(one, name)
  await register(two, 'carol')
  for (const node of [one, two]) t.is(await refusal(t, register(node, 'dave')), 'rate_limited')
})
