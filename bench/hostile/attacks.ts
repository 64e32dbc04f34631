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

/** What an attack is given. */
export interface Scene {
  readonly host: string
  readonly port: number
  /** Aborted when the measured time is over. */
  readonly over: AbortSignal
  /** A new account that has logged in. */
  user(): Promise<LoadUser>
  users(count: number): Promise<LoadUser[]>
}

export interface Attack {
  readonly name: string
  readonly about: string
  /** Makes what the attack needs; returns the attack, which ends when it has done all it can, or when it is over. */
  prepare(scene: Scene): Promise<() => Promise<unknown>>
}

/** Requests that an ordinary account may send at once. */
const BURST = 199
/** The longest text, made of combining marks. */
const MARKS = `a${'\u0301\u0323'.repeat(4095)}`

/** What a refused or cut attacker is told is of no interest; what the bystander sees is. */
const attempt = (work: Promise<unknown>): Promise<unknown> => work.catch(() => {})

/** Sends to oneself, some at a time. */
const fill = (user: LoadUser, count: number, text: string) =>
  each(Array.from({ length: count }), async () => {
    await user.request(SendMessage, { to: user.account.name, text })
  })

/** Repeats `work` until it is over. */
async function again(over: AbortSignal, work: () => Promise<unknown>) {
  while (!over.aborted) await attempt(work())
}

const burst = (name: string, about: string, request: (user: LoadUser, n: number) => Promise<unknown>): Attack => ({
  name,
  about,
  async prepare(scene) {
    const users = await scene.users(20)
    return () =>
      Promise.all(users.flatMap((user) => Array.from({ length: BURST }, (_, n) => attempt(request(user, n)))))
  },
})

export const ATTACKS: readonly Attack[] = [
  { name: 'none', about: 'nobody else is there', prepare: async () => async () => {} },
  {
    name: 'marks',
    about: '5 accounts search through 200 texts of combining marks each',
    async prepare(scene) {
      const users = await scene.users(5)
      for (const user of users) await fill(user, 100, MARKS)
      return () =>
        Promise.all(users.map((user) => again(scene.over, () => user.request(SearchMessages, { text: 'q' }))))
    },
  },
  burst('queries', '20 accounts ask for 199 lists each, at once', (user) => user.request(QueryFriendRequests, {})),
  burst('writes', '20 accounts make 199 groups each, at once', (user, n) =>
    user.request(CreateRoom, { group: `${user.account.name.slice(-8)}-${n}` }),
  ),
  burst('friends', '20 accounts ask 199 unknown people to be friends, at once', (user, n) =>
    user.request(AddFriend, { user: `nobody-${n}` }),
  ),
  burst('envelopes', '20 accounts send 199 requests in an envelope each, at once', (user, n) =>
    user.request(Once, { key: String(n), request: encode(QueryFriendRequests, 0, {}) }),
  ),
  {
    name: 'searches',
    about: 'one account searches 2,000 texts of 14 KB 190 times at once, in envelopes',
    async prepare(scene) {
      const user = await scene.user()
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
    async prepare(scene) {
      const users = await scene.users(10)
      const bytes = Buffer.concat(Array.from({ length: 500 }, () => encode(Ping, 0, {})))
      return () =>
        Promise.all(
          users.map(async (user) => {
            while (!scene.over.aborted) {
              user.send(bytes)
              await sleep(1)
            }
          }),
        )
    },
  },
  {
    name: 'names',
    about: '10 sessions acknowledge messages of people who do not exist, as fast as they can',
    async prepare(scene) {
      const users = await scene.users(10)
      let n = 0
      return () =>
        Promise.all(
          users.map(async (user) => {
            while (!scene.over.aborted) {
              for (let i = 0; i < 200; i++) user.send(encode(Acknowledge, 0, { from: `nobody-${n++}`, upTo: 1 }))
              await sleep(1)
            }
          }),
        )
    },
  },
  {
    name: 'state',
    about: 'one session saves 16 KiB of state as fast as it can',
    async prepare(scene) {
      const user = await scene.user()
      await user.request(Consume, { consumer: 'c' })
      const state = 'x'.repeat(16_000)
      const save = (n: number) =>
        user.request(AcknowledgeEvent, { consumer: 'c', id: 0, keep: true, key: String(n % 5000), state })
      let n = 0
      return () => Promise.all(Array.from({ length: 64 }, () => again(scene.over, () => save(n++))))
    },
  },
  {
    name: 'presence',
    about: 'a member of 20 groups of 50 logs in and out again and again',
    async prepare(scene) {
      const members = await scene.users(50)
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
        again(scene.over, async () => {
          const user = await LoadUser.login(scene, account, scene.over)
          user.end()
        })
    },
  },
  {
    name: 'connects',
    about: '30 addresses connect, 10 connections each, send nothing, and connect again when they are cut',
    async prepare({ host, port, over }) {
      setMaxListeners(0, over)
      return () =>
        Promise.all(
          Array.from({ length: 300 }, (_, n) =>
            again(over, async () => {
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
