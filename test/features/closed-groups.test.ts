import test from 'ava'
import { AcknowledgeRoom, BUILT_IN_MESSAGES, CreateRoom } from '../../client/index.ts'
import type { ClientMessage, InputOf } from '../../core/index.ts'
import { type TestServer, type TestUser, testServer } from '../../testing/index.ts'

/** A closed group of Alice, and a name of the same length that no group has. */
const [CLOSED, NONE] = ['closed group', 'absent group'] as const

/** Fields beside the group, for each message with which a user names a group. */
const REQUESTS: Readonly<Record<string, (user: string) => object>> = {
  join_room: () => ({}),
  leave_room: () => ({}),
  create_incoming_hook: () => ({ name: 'ci' }),
  query_room_users: () => ({}),
  invite_to_room: (user) => ({ user }),
  decline_invitation: () => ({}),
  kick_from_room: (user) => ({ user }),
  set_room_role: (user) => ({ user, role: 'admin' }),
  rename_room: () => ({ name: 'another name' }),
  dissolve_room: () => ({}),
  chatroom_message: () => ({ text: 'hi' }),
  acknowledge_room: () => ({ upTo: 1 }),
  typing: () => ({}),
  open_stream: () => ({}),
  query_room_history: () => ({}),
  query_files: () => ({}),
  search_messages: () => ({ text: 'hi' }),
  schedule_message: () => ({ text: 'hi', delay: 3_600_000 }),
}

const naming = BUILT_IN_MESSAGES.filter(
  (message): message is ClientMessage =>
    // A name must be unique: create_room tells that it is in use.
    message.from === 'client' && 'group' in message.fields && message.allow === 'user' && message !== CreateRoom,
)

/** The reply as the client sees it, without the name. */
async function replyTo(user: TestUser, message: ClientMessage, group: string, more: object): Promise<string> {
  try {
    return JSON.stringify(await user.request(message, { group, ...more } as InputOf<ClientMessage>))
  } catch (error) {
    const { failure, message: text, retryAfter } = error as { failure: string; message: string; retryAfter: number }
    return `${failure} ${text.replace(group, 'GROUP')} ${retryAfter}`
  }
}

async function strangerToClosedGroup(server: TestServer): Promise<TestUser> {
  const [alice, mallory] = [await server.user('alice'), await server.user('mallory')]
  await alice.request(CreateRoom, { group: CLOSED, open: false })
  // The group is in memory from now on.
  await alice.says({ group: CLOSED }, 'only for us')
  return mallory
}

test('to a stranger, a closed group is a name that no group has, whatever the request', async (t) => {
  await using server = await testServer()
  const mallory = await strangerToClosedGroup(server)
  t.deepEqual(naming.map(({ name }) => name).sort(), Object.keys(REQUESTS).sort())
  for (const message of naming)
    for (const user of ['alice', 'mallory', 'nobody']) {
      const more = REQUESTS[message.name]?.(user) ?? {}
      const replies = [await replyTo(mallory, message, CLOSED, more), await replyTo(mallory, message, NONE, more)]
      t.is(replies[0], replies[1], message.name)
      // Repeated within seconds, `typing` is dropped without a look at the group.
      const expected = message.name === 'typing' ? /^(group_not_exist |{}$)/ : /^group_not_exist /
      t.regex(replies[0] ?? '', expected, message.name)
    }
})

test('acknowledging a closed group of strangers costs as much of the rate as a name that no group has', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 5 } })
  const mallory = await strangerToClosedGroup(server)
  const answeredAtOnce = async (group: string) => {
    await server.clock.advance(60_000)
    let answered = 0
    const acknowledge = async () => {
      for (let n = 0; n < 12; n++) {
        await t.throwsAsync(mallory.request(AcknowledgeRoom, { group, upTo: 1 }))
        answered++
      }
    }
    const all = acknowledge()
    await server.settled()
    const atOnce = answered
    await server.clock.advance(60_000)
    await all
    return atOnce
  }
  const answered = [await answeredAtOnce(CLOSED), await answeredAtOnce(NONE)]
  t.is(answered[0], answered[1])
  t.true((answered[0] ?? 12) < 12)
})
