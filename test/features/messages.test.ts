import test from 'ava'
import type { Client } from '../../client/index.ts'
import { hears, texts } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

const unreadOf = async (client: Client) => texts((await client.inbox()).messages)

test('a message to a listening user arrives with its text, font and colour', async (t) => {
  const stage = await startLocalServer(t)
  const alice = await stage.user('alice')
  const bob = await stage.user('bob')
  const hearing = hears(bob, 1)
  const text = '你好, Bob 😀\n\tsecond line\r\n"quotes" \\ ; DROP TABLE chatmsg;'
  const style = { font: '宋体', fontSize: 14, color: '#ff0000' }
  const stored = await alice.send('bob', text, { style })
  const [message] = await hearing
  t.like(message, { id: stored.id, kind: 'chat', from: 'alice', to: 'bob', text, style })
  t.deepEqual(message?.sentAt, stored.sentAt)
  t.false(stored.repeat)
  t.deepEqual(await unreadOf(bob), [])
})

test('a message sent again with its client id is stored once, also after a restart [D-2]', async (t) => {
  const stage = await startLocalServer(t)
  const alice = await stage.user('alice')
  await stage.user('bob')
  const first = await alice.send('bob', 'only once', { clientId: 'order-1' })
  const second = await alice.send('bob', 'only once', { clientId: 'order-1' })
  t.deepEqual(second, { ...first, repeat: true })
  await t.throwsAsync(alice.send('bob', 'something else', { clientId: 'order-1' }), {
    message: /the client id was used for a different message/,
  })
  const both = await Promise.all([1, 2].map(() => alice.send('bob', 'at once', { clientId: 'order-2' })))
  t.is(both[0]?.id, both[1]?.id)
  await stage.close()

  const reopened = await startLocalServer(t, { data: stage.data })
  const back = await reopened.user('alice')
  t.deepEqual(await back.send('bob', 'only once', { clientId: 'order-1' }), { ...first, repeat: true })
  const bob = await reopened.user('bob')
  t.deepEqual(await unreadOf(bob), ['only once', 'at once'])
})

test('client ids of two senders are independent [D-2]', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, carol, bob] = [await stage.user('alice'), await stage.user('carol'), await stage.user('bob')]
  await alice.send('bob', 'mine', { clientId: 'x' })
  t.false((await carol.send('bob', 'mine', { clientId: 'x' })).repeat)
  t.deepEqual(await unreadOf(bob), ['mine', 'mine'])
})

test('pipelined messages keep their order, and both users see the same conversation [D-3]', async (t) => {
  const stage = await startLocalServer(t, { limits: { requestBurst: 1000 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const count = 300
  const sending = Array.from({ length: count }, (_, n) => alice.send('bob', `message ${n}`))
  const heard = await hears(bob, count)
  await Promise.all(sending)
  t.deepEqual(
    texts(heard),
    Array.from({ length: count }, (_, n) => `message ${n}`),
  )
  await bob.send('alice', 'got them')
  const ends = await Promise.all([alice.history('bob', { limit: 100 }), bob.history('alice', { limit: 100 })])
  t.deepEqual(
    ends[0].messages.map(({ id }) => id),
    ends[1].messages.map(({ id }) => id),
  )
  t.is(ends[0].messages.at(-1)?.text, 'got them')
})

test('history is paged from the newest message to the first', async (t) => {
  const stage = await startLocalServer(t, { limits: { historyPage: 10 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  await Promise.all(Array.from({ length: 25 }, (_, n) => alice.send('bob', String(n))))
  const pages: string[][] = []
  for (let before = 0, more = true; more; ) {
    const page = await bob.history('alice', { before })
    pages.push(texts(page.messages))
    before = page.messages[0]?.id ?? 0
    more = page.more
  }
  t.deepEqual(
    pages.map((page) => page.length),
    [10, 10, 5],
  )
  t.deepEqual(
    pages.reverse().flat(),
    Array.from({ length: 25 }, (_, n) => String(n)),
  )
})

test('pages of long texts are short enough for one packet', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const long = '长'.repeat(5000)
  for (let n = 0; n < 12; n++) await alice.send('bob', long)
  const page = await bob.history('alice', { limit: 100 })
  t.true(page.more && page.messages.length >= 1 && page.messages.length < 12)
  t.is((await hears(bob, 12)).length, 12)
})

test('a third user neither reads nor acknowledges a private message', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob, mallory] = [await stage.user('alice'), await stage.user('bob'), await stage.user('mallory')]
  const { id } = await alice.send('bob', 'for Bob only')
  t.deepEqual((await mallory.history('bob')).messages, [])
  t.deepEqual((await mallory.inbox({ all: true })).messages, [])
  await mallory.acknowledge({ from: 'alice', id })
  t.deepEqual(await unreadOf(bob), ['for Bob only'])
})

test('a message to an unknown user, too long or empty, is refused and not stored', async (t) => {
  const stage = await startLocalServer(t, { limits: { text: 100 } })
  const alice = await stage.user('alice')
  await stage.user('bob')
  await t.throwsAsync(alice.send('nobody', 'hi'), { message: /no user "nobody"/ })
  const refused = await t.throwsAsync(alice.send('bob', '长'.repeat(34)))
  t.like(refused, { failure: 'too_large' })
  t.regex(refused?.message ?? '', /102 bytes long, at most 100/)
  await t.throwsAsync(alice.send('bob', ''), { message: /text: is empty/ })
  t.deepEqual((await alice.history('bob')).messages, [])
})

test('a user may write to herself', async (t) => {
  const stage = await startLocalServer(t)
  const alice = await stage.user('alice')
  await alice.send('ALICE', 'note to self')
  t.deepEqual(texts(await hears(alice, 1)), ['note to self'])
  t.deepEqual(texts((await alice.history('alice')).messages), ['note to self'])
})

test('acknowledged messages are there for both users after a restart [D-1]', async (t) => {
  const stage = await startLocalServer(t)
  const alice = await stage.user('alice')
  await stage.user('bob')
  await alice.send('bob', 'before')
  await stage.close()
  const after: LocalServer = await startLocalServer(t, { data: stage.data })
  const [alice2, bob2] = [await after.user('alice'), await after.user('bob')]
  await bob2.send('alice', 'after')
  const [ours, theirs] = await Promise.all([alice2.history('bob'), bob2.history('alice')])
  t.deepEqual(texts(ours.messages), ['before', 'after'])
  t.deepEqual(
    ours.messages.map(({ id }) => id),
    theirs.messages.map(({ id }) => id),
  )
})

test('after a restart, pipelined messages keep their order in whatever case the recipient is written', async (t) => {
  const stage = await startLocalServer(t)
  await stage.user('alice')
  await stage.user('bob')
  await stage.close()
  const cold = await startLocalServer(t, { data: stage.data })
  const [alice, bob] = [await cold.user('alice'), await cold.user('bob')]
  await Promise.all([alice.send('BOB', 'one'), alice.send('bob', 'two'), alice.send('Bob', 'three')])
  t.deepEqual(await unreadOf(bob), ['one', 'two', 'three'])
})

test('pipelined requests for pages are all answered', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  for (let n = 0; n < 6; n++) await alice.send('bob', 'x'.repeat(16_000))
  const pages = await Promise.all(Array.from({ length: 100 }, () => bob.history('alice')))
  t.true(pages.every(({ messages }) => messages.length > 0))
})

test('a new login does not renew the request rate', async (t) => {
  const stage = await startLocalServer(t, { limits: { requestBurst: 10, requestRate: 0.001, requestPause: 1 } })
  let alice = await stage.user('alice')
  const outcomes: string[] = []
  for (let n = 0; n < 3; n++) {
    for (let m = 0; m < 6; m++)
      outcomes.push(
        await alice.send('alice', 'hi').then(
          () => 'sent',
          (error: { failure: string }) => error.failure,
        ),
      )
    await alice.close()
    alice = await stage.user('alice')
  }
  t.is(outcomes.filter((outcome) => outcome === 'sent').length, 10)
  t.is(outcomes.filter((outcome) => outcome === 'rate_limited').length, 8)
})

test('a server stopped under load has stored each acknowledged message once [D-1] [D-2]', async (t) => {
  const stage = await startLocalServer(t, { limits: { requestBurst: 10_000 } })
  const [alice] = [await stage.user('alice'), await stage.user('bob')]
  const acknowledged: string[] = []
  const sending = Array.from({ length: 400 }, (_, n) =>
    alice.send('bob', String(n)).then(
      () => acknowledged.push(String(n)),
      () => {},
    ),
  )
  await sending[0]
  await stage.close()
  await Promise.all(sending)
  const after = await startLocalServer(t, { data: stage.data })
  const bob = await after.user('bob')
  const stored: string[] = []
  for (let last = 0, more = true; more; ) {
    const page = await bob.inbox({ after: last, limit: 100 })
    stored.push(...texts(page.messages))
    last = page.messages.at(-1)?.id ?? last
    more = page.more
  }
  t.true(acknowledged.length > 0)
  t.is(new Set(stored).size, stored.length, 'each once')
  for (const text of acknowledged) t.true(stored.includes(text), text)
})

test('a data folder in use is refused to a second server', async (t) => {
  const stage = await startLocalServer(t)
  await t.throwsAsync(startLocalServer(t, { data: stage.data }), {
    name: 'DatabaseInUse',
    message: /another server or command uses/,
  })
  await stage.close()
  await startLocalServer(t, { data: stage.data })
})
