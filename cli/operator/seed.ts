import { AddFriend, type Client, CreateRoom, JoinRoom, RefusedByServer } from '../../client/index.ts'
import { CreateUser } from '../../plugins/admin/messages.ts'
import { asOperatorOrOffline } from '../client/sessions.ts'
import { makeVerifier } from '../client/verifier.ts'
import type { Shared } from '../definition/command.ts'

const USERS = { alice: '小鹰', bob: 'Bob', carol: 'Carol 🌻' } as const
const PASSWORD = 'password'
type Name = keyof typeof USERS

type Result = { users: string[]; friendships: number; groups: string[]; messages: number }

/** One step of a user; `act` returns false when it was done before. */
interface Step {
  readonly as: Name
  readonly makes?: 'friendships' | 'messages' | { readonly group: string }
  act(client: Client): Promise<boolean>
}

const GROUP_NAME = 'No.1聊天室'
const group = { group: GROUP_NAME }

const asks = (as: Name, user: Name, note = ''): Step => ({
  as,
  act: (client) => unlessDone('already_requested', client.request(AddFriend, { user, note })),
})
const agrees = (as: Name, user: Name): Step => ({ ...asks(as, user), makes: 'friendships' })
const makes: Step['act'] = (client) => unlessDone('group_exists', client.request(CreateRoom, group))
const joins: Step['act'] = (client) => unlessDone('already_member', client.request(JoinRoom, group))
const says = (as: Name, to: Name | typeof group, text: string, clientId: string): Step => ({
  as,
  makes: 'messages',
  act: async (client) => !(await client.send(to, text, { clientId })).repeat,
})

const STEPS: readonly Step[] = [
  asks('alice', 'bob'),
  agrees('bob', 'alice'),
  asks('alice', 'carol'),
  agrees('carol', 'alice'),
  // One that waits for an answer.
  asks('carol', 'bob', 'Alice told me about you'),
  { as: 'alice', makes: group, act: makes },
  { as: 'bob', act: joins },
  { as: 'carol', act: joins },
  says('alice', 'bob', 'Hello Bob, are you there?', 'seed-0'),
  says('bob', 'alice', 'I am. 你好!', 'seed-1'),
  says('alice', 'bob', 'Two lines\nin one message 😀', 'seed-2'),
  says('carol', 'alice', 'Shall we make a group?', 'seed-3'),
  says('alice', group, 'Here we are. 大家好!', 'seed-4'),
  says('bob', group, 'All three of us.', 'seed-5'),
]

/** Makes sample users, friendships, a group and messages. Changes nothing that exists already. */
export async function seedServer(shared: Shared): Promise<Result> {
  const users = await asOperatorOrOffline(
    shared,
    async (client) => {
      const made: string[] = []
      for (const name of Object.keys(USERS) as Name[]) if (await create(client, name)) made.push(name)
      return made
    },
    { make: true },
  )
  const result: Result = { users, friendships: 0, groups: [], messages: 0 }
  for (const { as, makes, act } of STEPS) {
    const isNew = await asOperatorOrOffline(shared, async (client) => {
      await client.actAs(as)
      return act(client)
    })
    if (!isNew || makes === undefined) continue
    if (typeof makes === 'object') result.groups.push(makes.group)
    else result[makes]++
  }
  return result
}

/** False when it is refused because it was done before. */
async function unlessDone(failure: string, request: Promise<unknown>): Promise<boolean> {
  try {
    await request
    return true
  } catch (error) {
    if (error instanceof RefusedByServer && [failure, 'already_friends'].includes(error.failure)) return false
    throw error
  }
}

async function create(client: Client, user: Name): Promise<boolean> {
  const verifier = await makeVerifier(client, PASSWORD)
  return unlessDone('username_taken', client.request(CreateUser, { user, nickname: USERS[user], ...verifier }))
}
