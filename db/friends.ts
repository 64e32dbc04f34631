import type { Knex } from 'knex'
import { MSG_TYPE } from './messages.ts'
import { transact } from './transaction.ts'

/** One side of a friendship; there are always two rows, one for each. */
export interface FriendRow {
  readonly user_id: number
  readonly friend_id: number
  readonly add_time: number
}

/** A request that waits: a `chatmsg` row of msg_type 3, its text the note. Answered ones have isActive 0. */
export interface RequestRow {
  readonly id: number
  /** Who asks. */
  readonly user_id: number
  /** Who is asked. */
  readonly target_id: number
  readonly msg: string
  readonly send_time: number
}

/** Beside these the sender's or the recipient's number, and that is a range of an index. */
const REQUEST = { msg_type: MSG_TYPE.friendRequest, lane: -MSG_TYPE.friendRequest, client_id: null }
const WAITING = { ...REQUEST, isActive: 1 }

export const friendsOf = (db: Knex, userId: number): Promise<FriendRow[]> =>
  db<FriendRow & { isActive: number }>('userfriend').where({ user_id: userId, isActive: 1 })

export const blockedBy = (db: Knex, userId: number): Promise<number[]> =>
  db('userblock').where({ user_id: userId, isActive: 1 }).orderBy('id').pluck('blocked_id')

/** Requests that wait, of and to a user, oldest first. */
export const requestsOf = (db: Knex, userId: number, limit: number): Promise<RequestRow[]> =>
  db<RequestRow>('chatmsg')
    .where(WAITING)
    .where((either) => void either.where({ target_id: userId }).orWhere({ user_id: userId }))
    .orderBy('id')
    .limit(limit)

export async function countRequestsOf(db: Knex, userId: number): Promise<number> {
  const [row] = await db('chatmsg')
    .where({ ...WAITING, user_id: userId })
    .count({ waiting: '*' })
  return Number(row?.waiting)
}

export const findRequest = (db: Knex, fromId: number, toId: number): Promise<RequestRow | undefined> =>
  db<RequestRow>('chatmsg')
    .where({ ...WAITING, user_id: fromId, target_id: toId })
    .first()

export async function insertRequest(db: Knex, fromId: number, toId: number, note: string, now: number) {
  await db('chatmsg').insert({ ...WAITING, user_id: fromId, target_id: toId, msg: note, send_time: now, isRead: 1 })
}

/** Ends the requests between two users, whoever asked; returns how many there were. */
export const closeRequests = (db: Knex, oneId: number, otherId: number): Promise<number> =>
  db('chatmsg')
    .where(WAITING)
    .where(
      (either) =>
        void either.where({ user_id: oneId, target_id: otherId }).orWhere({ user_id: otherId, target_id: oneId }),
    )
    .update({ isActive: 0, isRead: 0 })

/** What two users are to each other is changed by one transaction at a time: their accounts are locked, in one order. */
const takeTurns = (trx: Knex.Transaction, oneId: number, otherId: number) =>
  trx('userinfo').whereIn('id', [oneId, otherId]).orderBy('id').forUpdate().select('id')

/**
 * Makes two users friends, and ends the requests between them. Again changes nothing but the time. False, and nothing
 * done, if one has blocked the other.
 */
export const befriend = (db: Knex, oneId: number, otherId: number, now: number): Promise<boolean> =>
  transact(db, async (trx) => {
    await takeTurns(trx, oneId, otherId)
    const blocked = await trx('userblock')
      .where({ isActive: 1 })
      .whereIn('user_id', [oneId, otherId])
      .whereIn('blocked_id', [oneId, otherId])
      .first()
    if (blocked !== undefined) return false
    await closeRequests(trx, oneId, otherId)
    await trx('userfriend')
      .insert([
        { user_id: oneId, friend_id: otherId, add_time: now, isActive: 1 },
        { user_id: otherId, friend_id: oneId, add_time: now, isActive: 1 },
      ])
      .onConflict(['user_id', 'friend_id'])
      .merge(['add_time', 'isActive'])
    return true
  })

/** Ends a friendship for both. */
export async function unfriend(db: Knex, oneId: number, otherId: number) {
  await db('userfriend')
    .where(
      (either) =>
        void either.where({ user_id: oneId, friend_id: otherId }).orWhere({ user_id: otherId, friend_id: oneId }),
    )
    .update({ isActive: 0 })
}

/** Blocks a user: ends the friendship and the requests with it. */
export const block = (db: Knex, userId: number, blockedId: number, now: number): Promise<void> =>
  transact(db, async (trx) => {
    await takeTurns(trx, userId, blockedId)
    await closeRequests(trx, userId, blockedId)
    await unfriend(trx, userId, blockedId)
    await trx('userblock')
      .insert({ user_id: userId, blocked_id: blockedId, add_time: now, isActive: 1 })
      .onConflict(['user_id', 'blocked_id'])
      .merge(['add_time', 'isActive'])
  })

/** False if the user was not blocked. */
export async function unblock(db: Knex, userId: number, blockedId: number): Promise<boolean> {
  const changed = await db('userblock')
    .where({ user_id: userId, blocked_id: blockedId, isActive: 1 })
    .update({ isActive: 0 })
  return changed > 0
}
