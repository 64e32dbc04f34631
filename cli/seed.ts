import { randomBytes } from 'node:crypto'
import { type Client, RefusedByServer } from '../client/index.ts'
import { DEFAULT_ITERATIONS, deriveKeys, verifierOf } from '../core/scram/index.ts'
import { CreateUser } from '../plugins/admin/messages.ts'
import { asOperatorAnyhow } from './sessions.ts'
import type { Shared } from './shared.ts'

const USERS = { alice: '小鹰', bob: 'Bob', carol: 'Carol 🌻' } as const
const PASSWORD = 'password'
type Name = keyof typeof USERS

const MESSAGES: readonly (readonly [from: Name, to: Name, text: string])[] = [
  ['alice', 'bob', 'Hello Bob, are you there?'],
  ['bob', 'alice', 'I am. 你好!'],
  ['alice', 'bob', 'Two lines\nin one message 😀'],
  ['carol', 'alice', 'Shall we make a group?'],
]

/** Makes sample users and lets them talk. What is there already is left alone. */
export async function seedRoom(shared: Shared): Promise<{ users: string[]; messages: number }> {
  const users = await asOperatorAnyhow(
    shared,
    async (client) => {
      const made: string[] = []
      for (const name of Object.keys(USERS) as Name[]) if (await create(client, name)) made.push(name)
      return made
    },
    { make: true },
  )
  let messages = 0
  for (const [index, [from, to, text]] of MESSAGES.entries()) {
    await asOperatorAnyhow(shared, async (client) => {
      await client.actAs(from)
      const { repeat } = await client.send(to, text, { clientId: `seed-${index}` })
      if (!repeat) messages++
    })
  }
  return { users, messages }
}

async function create(client: Client, user: Name): Promise<boolean> {
  const salt = randomBytes(32)
  const keys = await deriveKeys(PASSWORD, salt, DEFAULT_ITERATIONS)
  const verifier = verifierOf(keys, salt, DEFAULT_ITERATIONS)
  try {
    await client.request(CreateUser, { user, nickname: USERS[user], ...verifier })
    return true
  } catch (error) {
    if (error instanceof RefusedByServer && error.failure === 'username_taken') return false
    throw error
  }
}
