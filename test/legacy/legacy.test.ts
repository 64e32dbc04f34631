import test, { type ExecutionContext } from 'ava'
import { ConversationRead } from '../../client/index.ts'
import { definePlugin, Refused } from '../../core/index.ts'
import { openDatabase } from '../../db/index.ts'
import { AddFriend, AddFriendRequest, ConfirmFriendRequest, FriendOnOffLine } from '../../plugins/friends/messages.ts'
import { CreateRoom, InviteToRoom, JoinRoom, KickFromRoom, RenameRoom } from '../../plugins/groups/messages.ts'
import { privateMessages, SendMessage } from '../../plugins/index.ts'
import { fromOldName, toOldName } from '../../plugins/legacy/names.ts'
import { fitLists } from '../../plugins/legacy/text.ts'
import { type Heard, type OriginalClient, openOriginalClient } from '../support/original-client/original-client.ts'
import { nextPush, refusal } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

const LEGACY = { legacy: { host: '127.0.0.1', port: 0 } }

const openLegacyServer = (
  t: ExecutionContext,
  options: Parameters<typeof startLocalServer>[1] = {},
): Promise<LocalServer> =>
  startLocalServer(t, {
    ...LEGACY,
    ...options,
    pluginOptions: { legacy: { dialogPause: 300 }, friends: { messagesFrom: 'friends' }, ...options.pluginOptions },
  })

/** Registers on one connection, logs in on another as the original does, and gets the first lists. */
async function enter(t: ExecutionContext, server: LocalServer, name: string, nickname = name): Promise<OriginalClient> {
  const first = await openOriginalClient(t, server)
  t.is(await first.register(name, `${name}'s password`, nickname), 101)
  return comeBack(t, server, name)
}

async function comeBack(t: ExecutionContext, server: LocalServer, name: string): Promise<OriginalClient> {
  const client = await openOriginalClient(t, server)
  t.truthy(await client.login(name, `${name}'s password`))
  return client
}

/** Two old clients who become friends by the request of the first. */
async function befriend(one: OriginalClient, oneName: string, other: OriginalClient, otherName: string) {
  one.send(4, otherName)
  await other.hears(106)
  other.answer(true, oneName)
  await other.hears(105)
  await one.hears(105)
  await one.hears(107)
  one.click()
}

test('two original clients and a new one register, become friends and exchange private messages', async (t) => {
  const server = await openLegacyServer(t)
  const alice = await enter(t, server, 'alice', '小鹰')
  t.deepEqual(await alice.lists(), ['no friend', 'no chatroom'])
  const bob = await enter(t, server, 'bob', 'Bob B')
  await bob.lists()

  const other = await openOriginalClient(t, server)
  t.is(await other.register('alice', 'x', 'Alice 2'), 202)
  await other.end()
  const wrong = await openOriginalClient(t, server)
  t.is(await wrong.login('alice', 'not it'), undefined)
  await wrong.end()
  const nobody = await openOriginalClient(t, server)
  t.is(await nobody.login('nobody', 'x'), undefined)

  alice.send(4, 'nobody')
  await alice.hears(205)
  alice.click()
  alice.send(4, 'bob')
  t.deepEqual(await bob.hears(106), ['alice'])
  bob.answer(true, 'alice')
  t.deepEqual(await bob.hears(105), ['alice:小鹰', 'no chatroom'])
  t.deepEqual(await alice.hears(105), ['bob:Bob_B', 'no chatroom'])
  t.deepEqual(await alice.hears(107), ['OK', 'bob'])
  alice.click()

  alice.say('bob', '你好\n第二行 😀')
  const [from, time, text] = await bob.hears(121)
  t.deepEqual([from, text], ['alice', '你好\n第二行 😀\n'])
  t.regex(time ?? '', /^\d{4}年\d{1,2}月\d{1,2}日 \d{1,2}时\d{1,2}分\d{1,2}秒$/)

  // The same account from a new client, and a friendship between old and new.
  const carol = await server.user('carol')
  const hearing = hears(carol, 1)
  const asked = nextPush(carol, AddFriendRequest)
  alice.send(4, 'carol')
  t.like(await asked, { user: 'alice', nickname: '小鹰' })
  await carol.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.deepEqual(await alice.hears(105), ['bob:Bob_B + carol:carol', 'no chatroom'])
  t.deepEqual(await alice.hears(107), ['OK', 'carol'])
  alice.click()
  alice.say('carol', 'old to new')
  t.deepEqual(await hearing, ['old to new'])
  await carol.send('alice', 'new to old')
  const [sender, , reply] = await alice.hears(121)
  t.deepEqual([sender, reply], ['carol', 'new to old\n'])
  await carol.stream('alice', ['a growing ', 'message'])
  t.is((await alice.hears(121))[2], 'a growing message\n', 'once, when it is finished')
  t.is(await refusal(t, carol.send('bob', 'hi')), 'not_friends')
  await carol.request(AddFriend, { user: 'bob' })
  t.deepEqual(await bob.hears(106), ['carol'])
  bob.answer(false, 'carol')

  // By number, as the original's window offers.
  const dave = await enter(t, server, 'dave')
  await dave.lists()
  dave.send(4, '2')
  t.deepEqual(await bob.hears(106), ['dave'])
  bob.answer(false, 'dave')
  t.deepEqual(await dave.hears(107), ['NG', 'bob'])
  dave.click()
  dave.say('bob', 'please')
  t.regex((await dave.hears(141))[0] ?? '', /only friends/)
  dave.click()

  bob.send(6, 'alice', 'bob')
  t.deepEqual(await bob.hears(105), ['no friend', 'no chatroom'])
  t.deepEqual(await alice.hears(105), ['carol:carol', 'no chatroom'])
  bob.send(6, 'alice', 'bob')
  await bob.hears(141)
  bob.click()
  bob.send(88, 'logout')
  await bob.end()
})

async function hears(client: Awaited<ReturnType<LocalServer['user']>>, count: number): Promise<string[]> {
  const texts: string[] = []
  for await (const { text } of client.messages()) if (texts.push(text) === count) break
  return texts
}

test('an original client creates, finds and joins groups, whose messages reach old and new members and their old sender', async (t) => {
  const server = await openLegacyServer(t)
  const alice = await enter(t, server, 'alice', 'Alice')
  const bob = await enter(t, server, 'bob', '鲍勃')
  await alice.lists()
  await bob.lists()
  alice.send(22, '聊天室')
  t.deepEqual(await alice.hears(114), ['OK', '聊天室'])
  bob.send(22, '聊天室')
  t.deepEqual(await bob.hears(114), ['EXIST', ''])
  bob.click()
  bob.send(21, '没有', 'bob')
  t.deepEqual(await bob.hears(124), ['NG'])
  bob.click()
  bob.send(21, '聊天室', 'bob')
  t.deepEqual(await bob.hears(124), ['OK'])
  t.deepEqual(await bob.hears(105), ['no friend', '群:聊天室'])
  bob.send(23, '聊天室')
  t.deepEqual(await bob.hears(115), ['聊天室', 'alice:Alice + bob:鲍勃'])
  bob.send(23, 'nowhere')
  t.deepEqual(await bob.hears(115), ['nowhere', 'no more user'])

  const carol = await server.user('carol')
  await carol.request(JoinRoom, { group: '聊天室' })
  const hearing = hears(carol, 1)
  alice.sayTo('聊天室', '大家好\n!')
  const heard = [await alice.hears(122), await bob.hears(122)]
  for (const [, room, from, text] of heard) t.deepEqual([room, from, text], ['聊天室', 'alice', '大家好\n!\n'])
  t.deepEqual(await hearing, ['大家好\n!'])
  await carol.send({ group: '聊天室' }, 'from a new client')
  t.deepEqual((await bob.hears(122)).slice(1), ['聊天室', 'carol', 'from a new client\n'])
  t.deepEqual((await alice.hears(122)).slice(1), ['聊天室', 'carol', 'from a new client\n'])

  const dave = await enter(t, server, 'dave')
  await dave.lists()
  dave.sayTo('聊天室', 'may I?')
  t.regex((await dave.hears(141))[0] ?? '', /not a member/)
  bob.send(24, '聊天室', 'bob')
  t.deepEqual(await bob.hears(124), ['OK'])
  t.deepEqual(await bob.hears(105), ['no friend', 'no chatroom'])
  alice.send(24, '聊天室', 'alice')
  t.deepEqual(await alice.hears(124), ['NG'], 'the owner stays')
})

test('after Bob was offline, private messages arrive once, in order, and group messages wait for their windows', async (t) => {
  const server = await openLegacyServer(t)
  const alice = await enter(t, server, 'alice')
  const bob = await enter(t, server, 'bob')
  await alice.lists()
  await bob.lists()
  await befriend(alice, 'alice', bob, 'bob')
  alice.send(22, 'ROOM')
  await alice.hears(114)
  bob.send(21, 'ROOM', 'bob')
  await bob.hears(124)
  await bob.hears(105)
  bob.send(88, 'logout')
  await bob.end()

  for (const text of ['one', 'two', 'three']) alice.say('bob', text)
  alice.sayTo('ROOM', 'missed 1')
  alice.sayTo('ROOM', 'missed 2')
  await alice.hears(122)
  await alice.hears(122)
  const carol = await enter(t, server, 'carol')
  await carol.lists()
  carol.send(4, 'bob')
  // An answered request is stored before the next one is handled.
  carol.send(22, 'CAROL')
  await carol.hears(114)

  const back = await comeBack(t, server, 'bob')
  t.deepEqual(await back.lists(), ['alice:alice', '群:ROOM'])
  const heard = [await back.hears(121), await back.hears(121), await back.hears(121)]
  t.deepEqual(
    heard.map(([, , text]) => text),
    ['one\n', 'two\n', 'three\n'],
  )
  t.deepEqual(await back.hears(106), ['carol'])
  back.answer(false, 'carol')
  alice.sayTo('ROOM', 'live')
  await alice.hears(122)
  back.send(23, 'ROOM')
  await back.hears(115)
  const said = [await back.hears(122), await back.hears(122), await back.hears(122)]
  t.deepEqual(
    said.map(([, , , text]) => text),
    ['missed 1\n', 'missed 2\n', 'live\n'],
  )
  // Any frame that it sends shows that it is reading.
  back.askLists()
  await back.hears(105)
  back.send(88, 'logout')
  await back.end()

  const again = await comeBack(t, server, 'bob')
  await again.lists()
  alice.say('bob', 'four')
  t.deepEqual((await again.hears(121))[2], 'four\n', 'no message is delivered twice')
})

test('messages unread when the connection broke are delivered again', async (t) => {
  const server = await openLegacyServer(t, { pluginOptions: { friends: { messagesFrom: 'anyone' } } })
  const alice = await server.user('alice')
  const bob = await enter(t, server, 'bob')
  await bob.lists()
  await alice.send('bob', 'hello?')
  await bob.hears(105)
  await bob.hears(121)
  bob.socket.resetAndDestroy()
  const back = await comeBack(t, server, 'bob')
  back.askLists()
  const heard = await until(back, 121)
  // Alice is not a friend: without a row of hers the message could not be opened.
  t.deepEqual(heard.at(-2), { type: 105, values: ['alice:alice', 'no chatroom'] })
  t.is(heard.at(-1)?.values[2], 'hello?\n')
  const read = nextPush(alice, ConversationRead)
  t.like(await read, { reader: 'bob', from: 'alice' }, 'it stays connected for a moment')
})

test('messages in quick succession in both directions, and a text of 3,000 bytes, arrive', async (t) => {
  const server = await openLegacyServer(t)
  const alice = await enter(t, server, 'alice')
  const bob = await enter(t, server, 'bob')
  await alice.lists()
  await bob.lists()
  await befriend(alice, 'alice', bob, 'bob')
  const texts = Array.from({ length: 30 }, (_, n) => `message ${n}`)
  // In one write, as two sends of the original may arrive.
  alice.socket.cork()
  for (const text of texts) alice.say('bob', text)
  alice.socket.uncork()
  for (const text of texts) t.is((await bob.hears(121))[2], `${text}\n`)

  const long = '长文'.repeat(500)
  t.is(Buffer.byteLength(long), 3000)
  bob.say('alice', long)
  const parts = [(await alice.hears(121))[2] ?? '', (await alice.hears(121))[2] ?? '']
  t.is(parts.map((part) => part.slice(0, -1)).join(''), long)
  t.is((await (await nativeOf(server, 'alice')).history('bob')).messages.at(-1)?.text, long)
})

test('a message recalled before it is sent is not shown', async (t) => {
  const server = await openLegacyServer(t, { pluginOptions: { friends: { messagesFrom: 'anyone' } } })
  const alice = await server.user('alice')
  const bob = await enter(t, server, 'bob')
  await bob.lists()
  const carol = await enter(t, server, 'carol')
  await carol.lists()
  carol.send(4, 'bob')
  t.deepEqual(await bob.hears(106), ['carol'])
  const { id } = await alice.send('bob', 'oops')
  await alice.send('bob', 'what I meant')
  await alice.recall(id)
  bob.answer(false, 'carol')
  t.deepEqual(await bob.hears(105), ['alice:alice', 'no chatroom'])
  t.is((await bob.hears(121))[2], 'what I meant\n')
})

test('edits and reactions are not shown; a missed message has its latest text, a reply only its own', async (t) => {
  const server = await openLegacyServer(t, { pluginOptions: { friends: { messagesFrom: 'anyone' } } })
  const alice = await server.user('alice')
  const bob = await enter(t, server, 'bob')
  const { id } = await alice.send('bob', 'at nien')
  await alice.edit(id, 'at nine')
  // From now on the client reads.
  await bob.lists()
  // The row of a sender who is no friend is in these lists or, if they have left already, in the next ones.
  const first = await bob.next()
  const missed = first.type === 105 ? await bob.next() : first
  t.like(missed, { type: 121, values: { 2: 'at nine\n' } })
  await alice.edit(id, 'at ten')
  await alice.react(id, '👍')
  await (await nativeOf(server, 'bob')).react(id, '👀')
  await alice.send('bob', 'really', { replyTo: id })
  t.is((await bob.hears(121))[2], 'really\n')
})

test('one dialog is open at a time: requests and all other frames wait for its answer', async (t) => {
  const server = await openLegacyServer(t, { pluginOptions: { friends: { messagesFrom: 'anyone' } } })
  const bob = await enter(t, server, 'bob')
  await bob.lists()
  const [carol, dave] = [await server.user('carol'), await server.user('dave')]
  await carol.request(AddFriend, { user: 'bob' })
  await dave.request(AddFriend, { user: 'bob' })
  t.deepEqual(await bob.hears(106), ['carol'])
  await dave.send('bob', 'please say yes')
  bob.answer(true, 'carol')
  // Lists and the message before the next dialog.
  const heard = await until(bob, 106)
  const lists = heard.filter(({ type }) => type === 105)
  t.is(lists.at(-1)?.values[0], 'dave:dave + carol:carol')
  t.is(heard.filter(({ type }) => type === 121).length, 1)
  t.deepEqual(heard.at(-1), { type: 106, values: ['dave'] })
})

/** All frames up to the first one of a type. */
async function until(client: OriginalClient, type: number): Promise<Heard[]> {
  const heard = [await client.next()]
  while (heard.at(-1)?.type !== type) heard.push(await client.next())
  return heard
}

test('names that the old client would mangle are escaped with %XX, and accepted in that form', async (t) => {
  const before = await startLocalServer(t)
  const bob = await before.user('bob')
  await bob.close()
  await changeUser(before, 'bob', { username: 'Bob + Co: 100%', nickname: ' 群 ' })
  await before.close()
  const server = await openLegacyServer(t, { data: before.data })
  const alice = await enter(t, server, 'alice', ' a:b c ')
  await alice.lists()
  const odd = await server.connect()
  await odd.login('Bob + Co: 100%', { password: "bob's password" })
  const asked = nextPush(odd, AddFriendRequest)
  const name = 'Bob%20+%20Co%3A%20100%'
  alice.send(4, name)
  t.like(await asked, { user: 'alice' })
  await odd.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.deepEqual(await alice.hears(105), [`${name}:群_`, 'no chatroom'])
  t.deepEqual(await alice.hears(107), ['OK', name])
  alice.click()
  const hearing = hears(odd, 1)
  alice.say(name, 'hi')
  t.deepEqual(await hearing, ['hi'])
  await odd.send('alice', 'ho')
  t.is((await alice.hears(121))[0], name)
  alice.send(22, 'a room: 1')
  t.deepEqual(await alice.hears(114), ['OK', 'a%20room%3A%201'])
  alice.send(23, 'a%20room%3A%201')
  t.deepEqual(await alice.hears(115), ['a%20room%3A%201', 'alice:a：b_c'])
  alice.sayTo('a%20room%3A%201', 'echo')
  t.deepEqual((await alice.hears(122)).slice(1), ['a%20room%3A%201', 'alice', 'echo\n'])
})

test('every name survives escaping and unescaping', (t) => {
  const names = [
    'a',
    '群',
    '100%',
    '%20',
    '%2520',
    'a b',
    '%2 0',
    '% :',
    '%4:',
    '\u3000x\u2028',
    'a:b:c',
    '%E4%BD',
    '你 好',
    '😀 %F0',
  ]
  for (const name of names) {
    t.is(fromOldName(toOldName(name)), name)
    t.notRegex(toOldName(name), /[\s:]/)
  }
  t.is(new Set(names.map(toOldName)).size, names.length)
})

test('lists too long for a frame are truncated by rows', async (t) => {
  const rows = (prefix: string) => Array.from({ length: 200 }, (_, n) => `${prefix}${n}:用户`)
  const lists = [
    { rows: rows('u'), none: 'no friend' },
    { rows: rows('群'), none: 'no chatroom' },
  ]
  const [users = '', rooms = ''] = fitLists(lists, 2000)
  t.true(Buffer.byteLength(users) + Buffer.byteLength(rooms) <= 2000)
  t.true(users.split(' + ').length > 50 && rooms.split(' + ').length > 50)
  t.true(rows('u').join(' + ').startsWith(users))
  t.deepEqual(fitLists([{ rows: [], none: 'no friend' }], 100), ['no friend'])
})

test('a list too long for a frame is truncated; a friend left out gets a row with their next message', async (t) => {
  const before = await startLocalServer(t)
  await (await before.user('alice')).close()
  await before.close()
  const db = await openDatabase(before.db ?? `${before.data}/chat.db`)
  const names = Array.from({ length: 150 }, (_, n) => `friend${String(n).padStart(3, '0')}`)
  await db('userinfo').insert(
    names.map((username) => ({ username, password: '', nickname: '一个很长的昵称', reg_time: 0, isActive: 1 })),
  )
  const ids: number[] = await db('userinfo').orderBy('id').pluck('id')
  const [alice = 0, ...others] = ids
  const both = others.flatMap((id) => [
    { user_id: alice, friend_id: id, add_time: 0, isActive: 1 },
    { user_id: id, friend_id: alice, add_time: 0, isActive: 1 },
  ])
  await db('userfriend').insert(both)
  await db.destroy()
  const registration = { iterations: 4096, preHash: 'md5x10', minPassword: 1 }
  const server = await openLegacyServer(t, { data: before.data, pluginOptions: { registration } })
  const native = await nativeOf(server, 'alice')
  await native.changePassword("alice's password", 'new')
  const old = await openOriginalClient(t, server)
  await old.login('alice', 'new')
  const [rows = ''] = await old.lists()
  t.regex(rows, /^friend000:一个很长的昵称 \+ friend001:/)
  t.notRegex(rows, /friend149/)
  const operator = await server.operator()
  await operator.actAs('friend149')
  await operator.send('alice', 'do you see me?')
  t.regex((await old.hears(105))[0] ?? '', /^friend149:一个很长的昵称 \+ friend000:/)
  t.is((await old.hears(121))[2], 'do you see me?\n')
})

test('one password is valid for both kinds of client, except for accounts from before the listener', async (t) => {
  const before = await startLocalServer(t)
  await (await before.user('early')).close()
  await before.close()
  const server = await openLegacyServer(t, { data: before.data })
  // Created by an old client, used from a new one.
  await (await enter(t, server, 'alice')).lists()
  const alice = await nativeOf(server, 'alice')
  await alice.changePassword("alice's password", '新密码')
  // Changed by the new client, used from the old one.
  t.is(await (await openOriginalClient(t, server)).login('Alice', '新密码'), 'alice')
  // Created by a new client, used from an old one.
  await server.user('bob')
  t.is(await (await openOriginalClient(t, server)).login('bob', "bob's password"), 'bob')
  t.is(await (await openOriginalClient(t, server)).login('early', "early's password"), undefined)
  const early = await nativeOf(server, 'early')
  await early.changePassword("early's password", 'the same again')
  t.is(await (await openOriginalClient(t, server)).login('early', 'the same again'), 'early')
})

test('old and new sessions of one user receive the same messages', async (t) => {
  const server = await openLegacyServer(t, { pluginOptions: { friends: { messagesFrom: 'anyone' } } })
  const old = await enter(t, server, 'bob')
  await old.lists()
  const bob = await nativeOf(server, 'bob')
  const hearing = hears(bob, 1)
  await (await server.user('alice')).send('bob', 'to both')
  t.deepEqual(await hearing, ['to both'])
  await old.hears(105)
  t.is((await old.hears(121))[2], 'to both\n')
})

const nativeOf = async (server: LocalServer, name: string) => {
  const client = await server.connect()
  await client.login(name, { password: `${name}'s password` })
  return client
}

async function changeUser(server: LocalServer, username: string, change: Record<string, string>) {
  const db = await openDatabase(server.db ?? `${server.data}/chat.db`)
  await db('userinfo').where({ username }).update(change)
  await db.destroy()
}

test('plugin hooks, events and presence apply to an old client as to any user', async (t) => {
  const told: string[] = []
  const noSpam = definePlugin({
    name: 'no-spam',
    needs: { privateMessages },
    setup(app) {
      app.before(SendMessage, (_session, { text }) => {
        if (text.includes('spam')) throw new Refused('no-spam.spam', 'no spam, please')
      })
      app.on(SendMessage, ({ user }, { text }) => told.push(`${user.name}: ${text}`))
    },
  })
  const server = await openLegacyServer(t, { plugins: [noSpam] })
  const alice = await enter(t, server, 'alice')
  await alice.lists()
  const bob = await server.user('bob')
  const asked = nextPush(bob, AddFriendRequest)
  alice.send(4, 'bob')
  await asked
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await alice.hears(105)
  await alice.hears(107)
  alice.click()
  const hearing = hears(bob, 1)
  alice.say('bob', 'buy spam')
  t.deepEqual(await alice.hears(141), ['no spam, please'])
  alice.click()
  alice.say('bob', 'hello')
  t.deepEqual(await hearing, ['hello'])
  t.deepEqual(told, ['alice: hello'])

  // A killed client does not log out.
  const gone = nextPush(bob, FriendOnOffLine)
  alice.socket.resetAndDestroy()
  t.deepEqual(await gone, { user: 'alice', online: false })
  const here = nextPush(bob, FriendOnOffLine)
  const back = await comeBack(t, server, 'alice')
  t.deepEqual(await here, { user: 'alice', online: true })
  await back.lists()
  // Sent and closed at once: requests before the end are executed.
  const last = hears(bob, 2)
  back.say('bob', 'bye')
  back.send(88, 'logout')
  back.socket.end()
  // The first message is unacknowledged: its loop was left at it.
  t.deepEqual(await last, ['hello', 'bye'])
})

test('friend requests made or answered while the other is offline or on another session are shown', async (t) => {
  const server = await openLegacyServer(t)
  await server.user('bob')
  const alice = await enter(t, server, 'alice')
  await alice.lists()
  alice.send(4, 'bob')
  // A repeated request gets no reply either.
  alice.send(4, 'bob')
  alice.send(4, 'alice')
  t.deepEqual(await alice.hears(141), ['the request names its own sender'])
  alice.click()
  alice.send(88, 'logout')
  await alice.end()
  const old = await openOriginalClient(t, server)
  await old.login('bob', "bob's password")
  await old.lists()
  t.deepEqual(await old.hears(106), ['alice'])
  const bob = await nativeOf(server, 'bob')
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  // The dialog is still open and accepts too.
  old.answer(true, 'alice')
  t.deepEqual(await old.hears(105), ['alice:alice', 'no chatroom'])
  const back = await comeBack(t, server, 'alice')
  t.deepEqual(await back.lists(), ['bob:bob', 'no chatroom'])
})

test('the list of groups follows dissolving, renaming, kicking and inviting by others', async (t) => {
  const server = await openLegacyServer(t)
  const old = await enter(t, server, 'bob')
  await old.lists()
  const carol = await server.user('carol')
  await carol.request(CreateRoom, { group: 'A', open: false })
  await carol.request(InviteToRoom, { group: 'A', user: 'bob' })
  t.deepEqual(await old.hears(141), ['carol invites you to the group A'])
  old.click()
  old.send(21, 'A', 'bob')
  await old.hears(124)
  t.deepEqual(await old.hears(105), ['no friend', '群:A'])
  await carol.request(RenameRoom, { group: 'A', name: 'B' })
  t.deepEqual(await old.hears(105), ['no friend', '群:B'])
  await carol.request(KickFromRoom, { group: 'B', user: 'bob' })
  t.deepEqual(await old.hears(105), ['no friend', 'no chatroom'])
})
