import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { dataPaths } from '../../cli/server/paths.ts'
import {
  type Client,
  CreateRoom,
  DissolveRoom,
  JoinRoom,
  LeaveRoom,
  RenameRoom,
  type SearchOptions,
} from '../../client/index.ts'
import type { KnownLimitSettings } from '../../plugins/index.ts'
import { refusal, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const finds = async (client: Client, text: string, options?: SearchOptions) =>
  texts((await client.search(text, options)).messages)

async function aliceBobCarol(t: ExecutionContext, limits: KnownLimitSettings = {}) {
  const stage = await startLocalServer(t, { limits })
  return { stage, alice: await stage.user('alice'), bob: await stage.user('bob'), carol: await stage.user('carol') }
}

test('messages sent and received are found, oldest first, with all fields', async (t) => {
  const { alice, bob, carol } = await aliceBobCarol(t)
  const first = await alice.send('bob', 'Lunch at noon?', { style: { color: '#ff0000' } })
  await bob.send('alice', 'no lunch today')
  await alice.send('bob', 'dinner then')
  await alice.send('alice', 'buy LUNCH')
  await carol.send('alice', 'lunch, anyone?')
  const { more, messages } = await alice.search('lunch')
  t.false(more)
  t.deepEqual(texts(messages), ['Lunch at noon?', 'no lunch today', 'buy LUNCH', 'lunch, anyone?'])
  const [found] = messages
  t.like(found, { id: first.id, kind: 'chat', from: 'alice', to: 'bob', unread: true, style: { color: '#ff0000' } })
  t.deepEqual(found?.sentAt, first.sentAt)
  t.deepEqual(await finds(alice, 'lunch', { with: 'bob' }), ['Lunch at noon?', 'no lunch today'])
  t.deepEqual(await finds(alice, 'lunch', { with: 'alice' }), ['buy LUNCH'])
  t.deepEqual(await alice.search('breakfast'), { more: false, searchedTo: first.id, messages: [] })
})

test('case and the encoding of accents make no difference in any script; there are no wildcards', async (t) => {
  const { alice, bob } = await aliceBobCarol(t)
  const all = [
    '我们明天见面',
    'party 🎉 tonight',
    'ÉCOLE fermée',
    'cafe\u0301',
    'Привет, МИР',
    'ΟΔΟΣΑ',
    '100% sure',
    '100 sure',
    'snake_case',
    'snakeXcase',
    `it's "quoted" \\ and ; -- done`,
    'two\nlines',
    'İstanbul',
  ]
  for (const text of all) await alice.send('bob', text)
  const expected: [string, string[]][] = [
    ['明天', ['我们明天见面']],
    ['🎉', ['party 🎉 tonight']],
    ['école', ['ÉCOLE fermée']],
    ['CAFÉ', ['cafe\u0301']],
    ['E\u0301cole FERME\u0301E', ['ÉCOLE fermée']],
    ['пРИВЕТ, мир', ['Привет, МИР']],
    ['οδος', ['ΟΔΟΣΑ']],
    ['0%', ['100% sure']],
    ['%', ['100% sure']],
    ['_', ['snake_case']],
    ['e_c', ['snake_case']],
    [`'S "Quoted" \\`, [`it's "quoted" \\ and ; -- done`]],
    ['; --', [`it's "quoted" \\ and ; -- done`]],
    ['O\nL', ['two\nlines']],
    ['İSTAN', ['İstanbul']],
    ['.*', []],
  ]
  for (const [what, found] of expected) t.deepEqual(await finds(bob, what), found, what)
})

test('messages between other users and recalled messages are not found', async (t) => {
  const { alice, bob, carol } = await aliceBobCarol(t)
  await alice.send('bob', 'the password is swordfish')
  const { id } = await bob.send('alice', 'swordfish it is')
  await bob.request(CreateRoom, { group: 'ops' })
  await bob.send({ group: 'ops' }, 'swordfish in a group')
  for (const where of [{}, { with: 'alice' }, { with: 'bob' }, { with: 'carol' }])
    t.deepEqual(await carol.search('swordfish', where), { more: false, searchedTo: 0, messages: [] })
  t.is(await refusal(t, carol.search('swordfish', { group: 'ops' })), 'not_member')
  t.is(await refusal(t, carol.search('swordfish', { group: 'none' })), 'group_not_exist')
  t.is(await refusal(t, carol.search('swordfish', { with: 'nobody' })), 'user_not_exist')
  t.is(await refusal(t, carol.search('swordfish', { with: 'bob', group: 'ops' })), 'invalid_value')
  await bob.recall(id)
  t.deepEqual(await finds(alice, 'swordfish'), ['the password is swordfish'])
})

test('a user and a group with the same id are kept apart', async (t) => {
  const { alice, bob, carol } = await aliceBobCarol(t)
  for (const group of ['one', 'two', 'three']) await alice.request(CreateRoom, { group })
  for (const group of ['one', 'two', 'three']) await alice.send({ group }, `fish in ${group}`)
  await alice.send('bob', 'fish for bob')
  t.deepEqual(await finds(bob, 'fish'), ['fish for bob'])
  t.deepEqual(await finds(carol, 'fish'), [])
  t.deepEqual(await finds(alice, 'fish', { with: 'bob' }), ['fish for bob'])
  t.is((await finds(alice, 'fish')).length, 4)
})

test('in groups only messages since the user joined are found, and none after leaving', async (t) => {
  const { alice, bob } = await aliceBobCarol(t)
  await alice.request(CreateRoom, { group: 'ops' })
  await alice.request(CreateRoom, { group: 'archive', allHistory: true })
  for (const group of ['ops', 'archive']) await alice.send({ group }, `build 1 in ${group}`)
  for (const group of ['ops', 'archive']) await bob.request(JoinRoom, { group })
  for (const group of ['ops', 'archive']) await alice.send({ group }, `build 2 in ${group}`)
  await alice.send('bob', 'build, privately')
  t.deepEqual(await finds(bob, 'BUILD'), [
    'build 1 in archive',
    'build 2 in ops',
    'build 2 in archive',
    'build, privately',
  ])
  t.deepEqual(await finds(bob, 'build', { group: 'ops' }), ['build 2 in ops'])
  t.deepEqual(await finds(bob, 'build', { with: 'alice' }), ['build, privately'])
  await alice.request(RenameRoom, { group: 'ops', name: 'on call' })
  const [found] = (await bob.search('2 in ops')).messages
  t.like(found, { kind: 'group', from: 'alice', group: 'on call' })

  await bob.request(LeaveRoom, { group: 'on call' })
  await alice.request(DissolveRoom, { group: 'archive' })
  t.deepEqual(await finds(bob, 'build'), ['build, privately'])
  await bob.request(JoinRoom, { group: 'on call' })
  t.deepEqual(await finds(bob, 'build'), ['build, privately'], 'back again, but not for what was before')
})

test('paging finds each match once, also across pages without matches, and reports the last page', async (t) => {
  const { alice, bob } = await aliceBobCarol(t, { searchRows: 5, requestBurst: 1000 })
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const wanted = new Set([0, 1, 2, 7, 19, 22])
  for (let n = 0; n < 23; n++) {
    const text = wanted.has(n) ? `Needle ${n}` : `straw ${n}`
    await (n % 3 === 0 ? bob.send('alice', text) : alice.send(n % 3 === 1 ? 'bob' : { group: 'ops' }, text))
  }
  for (const limit of [1, 2, 100]) {
    const found: string[] = []
    const pages: number[] = []
    for (let more = true, before = 0; more; ) {
      const page = await bob.search('needle', { before, limit })
      t.true(page.messages.length <= limit)
      found.unshift(...texts(page.messages))
      pages.push(page.messages.length)
      more = page.more
      before = page.searchedTo
    }
    t.deepEqual(
      found,
      [...wanted].map((n) => `Needle ${n}`),
      `limit ${limit}`,
    )
    if (limit === 100) t.deepEqual(pages, [2, 0, 0, 1, 3])
  }
})

test('a search covers several batches of rows, and more text than one packet takes', async (t) => {
  const { alice, bob } = await aliceBobCarol(t, { requestBurst: 5000 })
  await alice.send('bob', 'the very first')
  await Promise.all(
    Array.from({ length: 450 }, (_, n) => (n % 2 ? alice.send('bob', `${n}`) : bob.send('alice', `${n}`))),
  )
  t.deepEqual(await finds(alice, 'Very First'), ['the very first'])
  for (let n = 0; n < 8; n++) await alice.send('bob', `${'x'.repeat(16_000)} big ${n}`)
  const found: string[] = []
  let pages = 0
  for (let more = true, before = 0; more; pages++) {
    const page = await bob.search('big', { before })
    found.unshift(...texts(page.messages).map((text) => text.slice(-1)))
    more = page.more
    before = page.searchedTo
  }
  t.deepEqual(found, ['0', '1', '2', '3', '4', '5', '6', '7'])
  t.true(pages > 2)
})

test('the searched text has 1 to 200 bytes', async (t) => {
  const { alice } = await aliceBobCarol(t)
  await t.throwsAsync(alice.search(''))
  await t.throwsAsync(alice.search('x'.repeat(201)))
  t.deepEqual(await finds(alice, 'x'.repeat(200)), [])
})

test('a search by the operator as Alice is audited without its text', async (t) => {
  const { stage, alice } = await aliceBobCarol(t)
  await alice.send('bob', 'secret words')
  const operator = await stage.operator()
  t.is(await refusal(t, operator.search('secret')), 'login_required')
  await operator.actAs('alice')
  t.deepEqual(await finds(operator, 'secret'), ['secret words'])
  const audit = await readFile(dataPaths(stage.data).audit, 'utf8')
  t.regex(audit, /"event":"search_messages"/)
  t.notRegex(audit, /secret/)
})
