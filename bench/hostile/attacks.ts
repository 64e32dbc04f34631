import { setMaxListeners } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { encode, Ping } from '../../core/wire/index.ts'
import { AcknowledgeEvent, Consume } from '../../plugins/consumers/messages.ts'
import { AddFriend, QueryFriendRequests } from '../../plugins/friends/messages.ts'
import { CreateRoom, JoinRoom } from '../../plugins/groups/messages.ts'
import { Once } from '../../plugins/idempotency/messages.ts'
import { Acknowledge, SearchMessages, SendMessage } from '../../plugins/messages/messages.ts'
import { each } from '../load/each.ts'
import { LoadUser } from '../load/user.ts'

/** Target and means of an attack. */
export interface AttackContext {
  readonly host: string
  readonly port: number
  /** Aborted at the end of the measured time. */
  readonly over: AbortSignal
  /** Makes an account and logs in. */
  user(): Promise<LoadUser>
  users(count: number): Promise<LoadUser[]>
}

export interface Attack {
  readonly name: string
  readonly about: string
  /** Sets up accounts and data; returns the attack, which ends by itself or when `over` is aborted. */
  prepare(context: AttackContext): Promise<() => Promise<unknown>>
}

/** Requests that an account may send at once under the default limits. */
const BURST_REQUESTS = 199
/** The longest text, of combining marks. */
const MARKS = `a${'\u0301\u0323'.repeat(4095)}`

/** Ignores failures: an attacker expects refusals and lost connections. Only the bystander's results count. */
const attempt = (work: Promise<unknown>): Promise<unknown> => work.catch(() => {})

/** Fills the user's history with messages to themselves. */
const fill = (user: LoadUser, count: number, text: string) =>
  each(Array.from({ length: count }), async () => {
    await user.request(SendMessage, { to: user.account.name, text })
  })

/** Repeats `work` until the end of the measured time. */
async function repeat(over: AbortSignal, work: () => Promise<unknown>) {
  while (!over.aborted) await attempt(work())
}

const burst = (name: string, about: string, request: (user: LoadUser, n: number) => Promise<unknown>): Attack => ({
  name,
  about,
  async prepare(context) {
    const users = await context.users(20)
    return () =>
      Promise.all(users.flatMap((user) => Array.from({ length: BURST_REQUESTS }, (_, n) => attempt(request(user, n)))))
  },
})

export const ATTACKS: readonly Attack[] = [
  { name: 'none', about: 'no attack', prepare: async () => async () => {} },
  {
    name: 'marks',
    about: '5 accounts search through 100 texts of combining marks each',
    async prepare(context) {
      const users = await context.users(5)
      for (const user of users) await fill(user, 100, MARKS)
      return () =>
        Promise.all(users.map((user) => repeat(context.over, () => user.request(SearchMessages, { text: 'q' }))))
    },
  },
  burst('queries', '20 accounts request 199 lists each, at once', (user) => user.request(QueryFriendRequests, {})),
  burst('writes', '20 accounts create 199 groups each, at once', (user, n) =>
    user.request(CreateRoom, { group: `${user.account.name.slice(-8)}-${n}` }),
  ),
  burst('friends', '20 accounts send 199 friend requests to unknown users each, at once', (user, n) =>
    user.request(AddFriend, { user: `nobody-${n}` }),
  ),
  burst('envelopes', '20 accounts send 199 requests with an idempotency key each, at once', (user, n) =>
    user.request(Once, { key: String(n), request: encode(QueryFriendRequests, 0, {}) }),
  ),
  {
    name: 'searches',
    about: 'one account searches 150 texts of 14 KB 190 times at once, with idempotency keys',
    async prepare(context) {
      const user = await context.user()
      await fill(user, 150, 'x'.repeat(14_000))
      return () =>
        Promise.all(
          Array.from({ length: 190 }, (_, n) =>
            attempt(user.request(Once, { key: String(n), request: encode(SearchMessages, 0, { text: 'q' }) })),
          ),
        )
    },
  },
  {
    name: 'pings',
    about: '10 sessions send pings as fast as they can',
    async prepare(context) {
      const users = await context.users(10)
      const bytes = Buffer.concat(Array.from({ length: 500 }, () => encode(Ping, 0, {})))
      return () =>
        Promise.all(
          users.map(async (user) => {
            while (!context.over.aborted) {
              user.send(bytes)
              await sleep(1)
            }
          }),
        )
    },
  },
  {
    name: 'names',
    about: '10 sessions acknowledge messages of unknown users, as fast as they can',
    async prepare(context) {
      const users = await context.users(10)
      let n = 0
      return () =>
        Promise.all(
          users.map(async (user) => {
            while (!context.over.aborted) {
              for (let i = 0; i < 200; i++) user.send(encode(Acknowledge, 0, { from: `nobody-${n++}`, upTo: 1 }))
              await sleep(1)
            }
          }),
        )
    },
  },
  {
    name: 'state',
    about: 'one session stores 16 KB of state, as fast as it can',
    async prepare(context) {
      const user = await context.user()
      await user.request(Consume, { consumer: 'c' })
      const state = 'x'.repeat(16_000)
      const save = (n: number) =>
        user.request(AcknowledgeEvent, { consumer: 'c', id: 0, keep: true, key: String(n % 5000), state })
      let n = 0
      return () => Promise.all(Array.from({ length: 64 }, () => repeat(context.over, () => save(n++))))
    },
  },
  {
    name: 'presence',
    about: 'a member of 20 groups of 50 logs in and out, as fast as it can',
    async prepare(context) {
      const members = await context.users(50)
      const owner = members[0] as LoadUser
      const groups = Array.from({ length: 20 }, (_, n) => `${owner.account.name.slice(-8)}-${n}`)
      for (const group of groups) {
        await owner.request(CreateRoom, { group })
        await each(members.slice(1), async (member) => {
          await member.request(JoinRoom, { group })
        })
      }
      const { account } = members.at(-1) as LoadUser
      return () =>
        repeat(context.over, async () => {
          const user = await LoadUser.login(context, account, context.over)
          user.end()
        })
    },
  },
  {
    name: 'connects',
    about: '30 addresses make 10 connections each, send nothing, and reconnect when they are closed',
    async prepare({ host, port, over }) {
      setMaxListeners(0, over)
      return () =>
        Promise.all(
          Array.from({ length: 300 }, (_, n) =>
            repeat(over, async () => {
              const socket = connect({ host, port, localAddress: `127.0.1.${1 + (n % 30)}` })
              const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))
              const end = () => socket.destroy()
              over.addEventListener('abort', end, { once: true })
              await closed
              over.removeEventListener('abort', end)
              await sleep(5)
            }),
          ),
        )
    },
  },
]
