import test from 'ava'
import { type Client, CreateRoom, JoinRoom, LeaveRoom, type Page } from '../../client/index.ts'
import { refusal, textsOf } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

/** Sends numbers to a conversation, with messages of other conversations between them; returns their ids. */
async function sendNumbers(client: Client, to: string | { readonly group: string }, count: number): Promise<number[]> {
  const ids: number[] = []
  for (let n = 0; n < count; n++) {
    await client.send('alice', 'elsewhere')
    ids.push((await client.send(to, String(n))).id)
  }
  return ids
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => String(from + n))

/** Reads on with `after` until there is no more. */
async function forwards(page: (after: number) => Promise<Page>, from: number): Promise<string[][]> {
  const pages: string[][] = []
  for (let after = from, more = true; more; ) {
    const next = await page(after)
    pages.push(textsOf(next))
    after = next.messages.at(-1)?.id ?? after
    more = next.more
  }
  return pages
}

test('a page after an id begins with the oldest message behind it, and `more` leads to the newest', async (t) => {
  const server = await startLocalServer(t, { limits: { historyPage: 4 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const inPrivate = await sendNumbers(alice, 'bob', 10)
  const inGroup = await sendNumbers(alice, { group: 'ops' }, 10)

  for (const { page, ids } of [
    { page: (after: number) => bob.history('alice', { after }), ids: inPrivate },
    { page: (after: number) => bob.groupHistory('ops', { after }), ids: inGroup },
  ]) {
    const [third = 0, last = 0] = [ids[2], ids[9]]
    t.deepEqual(await forwards(page, third), [numbers(3, 7), numbers(7, 10)])
    t.deepEqual(await forwards(page, third - 1), [numbers(2, 6), numbers(6, 10)], 'the id of another conversation')
    t.deepEqual(textsOf(await page(1)).slice(0, 1), ['0'])
    t.like(await page(last), { more: false, messages: [] })
    t.like(await page(last + 1000), { more: false, messages: [] })
  }
})

test('a page around an id has the message itself, older ones before and newer ones behind it', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const inPrivate = await sendNumbers(alice, 'bob', 12)
  const inGroup = await sendNumbers(alice, { group: 'ops' }, 12)

  for (const { page, ids } of [
    { page: (query: { around: number; limit: number }) => bob.history('alice', query), ids: inPrivate },
    { page: (query: { around: number; limit: number }) => bob.groupHistory('ops', query), ids: inGroup },
  ]) {
    const id = ids[6] ?? 0
    const middle = await page({ around: id, limit: 6 })
    t.deepEqual([textsOf(middle), middle.more], [numbers(4, 10), true])
    t.deepEqual(textsOf(await page({ around: id, limit: 1 })), ['6'])
    t.deepEqual(textsOf(await page({ around: id - 1, limit: 4 })), numbers(4, 8), 'the last one before another id')
    const all = await page({ around: id, limit: 100 })
    t.deepEqual([textsOf(all), all.more], [numbers(0, 12), false])
    const start = await page({ around: 1, limit: 4 })
    t.deepEqual([textsOf(start), start.more], [numbers(0, 2), false])
  }
})

test('recalled messages are in no page, and their ids still name a place', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const inPrivate = await sendNumbers(alice, 'bob', 6)
  const inGroup = await sendNumbers(alice, { group: 'ops' }, 6)
  for (const id of [inPrivate[2], inGroup[2]]) await alice.recall(id ?? 0)
  const [privateId = 0, groupId = 0] = [inPrivate[2], inGroup[2]]
  t.deepEqual(textsOf(await bob.history('alice', { after: privateId, limit: 2 })), numbers(3, 5))
  t.deepEqual(textsOf(await bob.groupHistory('ops', { after: groupId, limit: 2 })), numbers(3, 5))
  t.deepEqual(textsOf(await bob.history('alice', { around: privateId, limit: 4 })), ['0', '1', '3', '4'])
  t.deepEqual(textsOf(await bob.groupHistory('ops', { around: groupId, limit: 4 })), ['0', '1', '3', '4'])
  t.deepEqual(textsOf(await bob.groupHistory('ops', { before: groupId, limit: 1 })), ['1'])
})

test('a member reads nothing from before joining, at whatever id the page is', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  const [, before = 0] = await sendNumbers(alice, { group: 'ops' }, 3)
  await bob.request(JoinRoom, { group: 'ops' })
  await alice.send({ group: 'ops' }, 'for Bob too')
  for (const query of [{ after: 1 }, { after: before }, { around: before }, { around: before, limit: 1 }]) {
    const { messages } = await bob.groupHistory('ops', query)
    t.deepEqual(textsOf({ messages }), query.limit === 1 ? [] : ['for Bob too'], JSON.stringify(query))
  }
  await bob.request(LeaveRoom, { group: 'ops' })
  t.is(await refusal(t, bob.groupHistory('ops', { after: 1 })), 'not_member')
})

test('a page of long texts around an id fits into one packet, and holds the message itself', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const ids: number[] = []
  for (let n = 0; n < 12; n++) ids.push((await alice.send('bob', '长'.repeat(5000))).id)
  const page = await bob.history('alice', { around: ids[6] ?? 0, limit: 100 })
  t.true(page.more && page.messages.length < 6)
  const at = page.messages.findIndex(({ id }) => id === ids[6])
  t.deepEqual(
    page.messages.map(({ id }) => id),
    ids.slice(6 - at, 6 - at + page.messages.length),
    'without a gap',
  )
})

test('two places in one request are refused', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  await alice.request(CreateRoom, { group: 'ops' })
  for (const query of [
    { before: 5, after: 1 },
    { after: 5, around: 5 },
    { before: 5, around: 5 },
  ]) {
    t.is(await refusal(t, alice.history('alice', query)), 'invalid_value')
    t.is(await refusal(t, alice.groupHistory('ops', query)), 'invalid_value')
  }
})
