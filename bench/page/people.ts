import { type Client, connect } from '../../client/index.ts'
import { AddFriend, ConfirmFriendRequest } from '../../plugins/friends/messages.ts'

/** Messages in flight while a history is written. */
const WINDOW = 200

const passwordOf = (name: string) => `the password of ${name}`

/** Registers a user, and logs in with the client library. */
export async function enter(server: string, user: string): Promise<Client> {
  const client = await connect({ server })
  await client.register(user, passwordOf(user))
  await client.login(user, { password: passwordOf(user) })
  return client
}

export const loginOf = (user: string) => ({ user, password: passwordOf(user) })

/** Makes friends of two users, and writes a history that the second one has read. @returns id of its last message */
export async function converse(from: Client, to: Client, names: readonly [string, string], count: number) {
  await from.request(AddFriend, { user: names[1] })
  await to.request(ConfirmFriendRequest, { user: names[0], accept: true })
  let last = 0
  for (let n = 1; n <= count; n += WINDOW) {
    const texts = Array.from({ length: Math.min(WINDOW, count + 1 - n) }, (_, more) => textOf(n + more))
    const stored = await Promise.all(texts.map((text) => from.send(names[1], text)))
    last = Math.max(last, ...stored.map(({ id }) => id))
  }
  await to.acknowledge({ from: names[0], id: last })
  return last
}

/** Texts of one to four lines. */
const textOf = (n: number) => `message ${n}${'\nand one more line of text'.repeat(n % 4)}`
