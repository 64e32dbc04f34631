import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { MIN_ITERATIONS, MIN_SALT_LENGTH, verifierOf } from '../../core/scram/index.ts'
import { MSG_TYPE } from '../../db/index.ts'
import { laneOf } from '../../db/messages.ts'
import { formatVerifier } from '../../plugins/accounts/verifier.ts'
import type { Account } from '../load/user.ts'
import { type Bulk, openBulk } from './bulk.ts'

export const USERS = 10_000
/** Friends of the user with the most conversations, all of whom write and are written to. */
export const CORRESPONDENTS = 2000
export const GROUPS = 20
/** Of these groups the user with the most conversations is a member too; all others are in one. */
const GROUPS_OF_HUB = 10
/** Of each other user, with the next ids. */
const FRIENDS = 5
/** The last messages are unread, so that there are as many at each size. */
const UNREAD = 10_000
/** Messages in memory at once. */
const CHUNK = 50_000

/** The user with the most conversations; the ids of users ascend from 1. */
const HUB = 1
const ADMIN = USERS + 1

/** One message in so many has this word. */
export const RARE = { word: 'needle', every: 5000 }

const TIME = 1_700_000_000_000

export const nameOf = (user: number) => `user-${user}`
export const groupOf = (id: number) => `group-${id}`

/** Accounts of a seeded database: all have the same keys. */
export interface Seeded {
  readonly hub: Account
  readonly admin: Account
}

interface Message {
  readonly id: number
  readonly from: number
  /** A user, or with `seq` a group. */
  readonly to: number
  readonly seq: number | null
}

/**
 * Of ten messages four are between friends, two between the user with the most conversations and a correspondent, and four
 * in groups. No chance is involved, so that runs differ in speed only.
 */
function message(index: number): Message {
  const id = index + 1
  const [tens, sort] = [Math.floor(index / 10), index % 10]
  if (sort >= 6) {
    const nth = tens * 4 + sort - 6
    const group = (nth % GROUPS) + 1
    const seq = Math.floor(nth / GROUPS) + 1
    return { id, from: memberOf(group, seq), to: group, seq }
  }
  const nth = sort < 4 ? tens * 4 + sort : tens * 2 + sort - 4
  const turn = Math.floor(nth / 2)
  const one = sort < 4 ? 2 + (turn % (USERS - FRIENDS - 1)) : HUB
  const other = sort < 4 ? one + 1 + (turn % FRIENDS) : 2 + (turn % CORRESPONDENTS)
  const [from, to] = nth % 2 === 0 ? [other, one] : [one, other]
  return { id, from, to, seq: null }
}

/** A member of a group; users are in the group of their id's remainder. */
const memberOf = (group: number, nth: number) => group + GROUPS * (1 + (nth % (USERS / GROUPS - 2)))

const MESSAGE_COLUMNS = [
  'id',
  'user_id',
  'target_id',
  'msg_type',
  'client_id',
  'send_time',
  'isRead',
  'msg',
  'isActive',
  'seq',
  'lane',
]

function messageRow({ id, from, to, seq }: Message) {
  const msg_type = seq === null ? MSG_TYPE.chat : MSG_TYPE.group
  const text = `${id % RARE.every === 0 ? `${RARE.word} ` : ''}message ${id} of a benchmark, about as long as any other is`
  const lane = laneOf({ msg_type, user_id: from })
  return [id, from, to, msg_type, `seeded-${10 ** 9 + id}`, TIME + id, 1, text, 1, seq, lane]
}

/** Fills the database of a server that has run once and stopped. */
export async function seed(where: string, rows: number, onProgress: (share: number) => void): Promise<Seeded> {
  const keys = { clientKey: randomBytes(32), serverKey: randomBytes(32) }
  const verifier = formatVerifier(verifierOf(keys, randomBytes(MIN_SALT_LENGTH), MIN_ITERATIONS))
  const bulk = await openBulk(where)
  try {
    await seedUsers(bulk, verifier)
    await seedGroups(bulk, rows)
    for (let from = 0; from < rows; from += CHUNK) {
      const count = Math.min(CHUNK, rows - from)
      const messages = Array.from({ length: count }, (_, index) => messageRow(message(from + index)))
      await bulk.insert('chatmsg', MESSAGE_COLUMNS, messages)
      onProgress((from + count) / rows)
      // Lets signals be handled.
      await turn()
    }
    await bulk.run(
      `insert into correspondence (reader_id, writer_id, read_id, marked_id)
       select distinct target_id, user_id, ${Math.max(0, rows - UNREAD)}, ${Math.max(0, rows - UNREAD)}
       from chatmsg where msg_type = ${MSG_TYPE.chat}`,
    )
  } finally {
    await bulk.close()
  }
  return { hub: { name: nameOf(HUB), keys }, admin: { name: nameOf(ADMIN), keys } }
}

async function seedUsers(bulk: Bulk, verifier: string) {
  const ids = Array.from({ length: ADMIN }, (_, index) => index + 1)
  await bulk.insert(
    'userinfo',
    ['id', 'username', 'password', 'nickname', 'reg_time', 'isActive', 'role'],
    ids.map((id) => [id, nameOf(id), verifier, `User ${id}`, TIME, 1, id === ADMIN ? 'admin' : 'user']),
  )
  await bulk.insert(
    'profile',
    ['user_id', 'avatar', 'about', 'changed_at'],
    ids.filter((id) => id % 2 === 0).map((id) => [id, '', `I am user ${id}`, TIME + id]),
  )
  await bulk.insert(
    'userblock',
    ['user_id', 'blocked_id', 'add_time', 'isActive'],
    ids.slice(0, USERS - FRIENDS).map((id) => [id, USERS - 10 - (id % 1000), TIME, 1]),
  )
  const friends = ids.slice(0, USERS - FRIENDS).flatMap((id) => {
    const count = id === HUB ? CORRESPONDENTS : FRIENDS
    return Array.from({ length: count }, (_, index): [number, number] => [id, id + 1 + index])
  })
  await bulk.insert(
    'userfriend',
    ['user_id', 'friend_id', 'add_time', 'isActive'],
    friends.flatMap(([one, other]) => [
      [one, other, TIME, 1],
      [other, one, TIME, 1],
    ]),
  )
}

async function seedGroups(bulk: Bulk, rows: number) {
  const ids = Array.from({ length: GROUPS }, (_, index) => index + 1)
  const last = Math.floor((rows * 4) / 10 / GROUPS)
  const read = Math.max(0, last - Math.floor((UNREAD * 4) / 10 / GROUPS))
  await bulk.insert(
    'chatroom',
    ['id', 'chatroom_name', 'create_time', 'isActive', 'isOpen', 'allHistory', 'last_seq'],
    ids.map((id) => [id, groupOf(id), TIME, 1, 1, 1, last]),
  )
  const members = ids.flatMap((group) => [
    ...(group <= GROUPS_OF_HUB && group !== HUB ? [[group, HUB]] : []),
    ...Array.from({ length: USERS / GROUPS }, (_, nth) => [group, group + GROUPS * nth]),
  ])
  await bulk.insert(
    'chatroom_user',
    ['chatroom_id', 'user_id', 'create_time', 'isActive', 'role', 'read_seq'],
    members.map(([group = 0, user = 0]) => [group, user, TIME, 1, 'member', read]),
  )
}
