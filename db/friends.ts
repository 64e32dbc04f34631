import type { Knex } from 'knex'
import { withdrawInvitations } from './group-changes.ts'
import { Conflict, countRows, lockUsers } from './locks.ts'
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

/** Why what two users are to each other was not changed. */
export type FriendConflict =
  | 'already_friends'
  | 'already_requested'
  | 'blocked'
  | 'blocked_by_oneself'
  | 'no_request'
  | 'not_friends'
  | 'not_blocked'
  | 'too_many_friends'
  | 'too_many_friends_there'
  | 'too_many_requests'
  | 'too_many_requests_there'
  | 'too_many_blocks'

type Outcome<T> = T | { readonly conflict: FriendConflict }

const conflict = (reason: FriendConflict): never => {
  throw new Conflict(reason)
}

/**
 * What two users are to each other is changed by one transaction at a time, under the locks of both. Doing it twice is
 * not the same as doing it once: a connection lost at its end is an error.
 */
async function between<T>(
  db: Knex,
  oneId: number,
  otherId: number,
  work: (trx: Knex.Transaction) => Promise<T>,
): Promise<Outcome<T>> {
  const locked = async (trx: Knex.Transaction) => {
    await lockUsers(trx, oneId, otherId)
    return work(trx)
  }
  try {
    return await transact(db, locked, { repeatable: false })
  } catch (error) {
    if (error instanceof Conflict) return { conflict: error.reason as FriendConflict }
    throw error
  }
}

/** Limits of what one user has, see LIMITS. */
export interface FriendLimits {
  readonly friends: number
  readonly friendRequests: number
}

const waitingFrom = (trx: Knex.Transaction, fromId: number, toId: number) =>
  trx('chatmsg').where({ ...WAITING, user_id: fromId, target_id: toId })

/** Ends the requests between two users, whoever asked; returns how many there were. */
async function closeRequests(trx: Knex.Transaction, oneId: number, otherId: number): Promise<number> {
  const closed = { isActive: 0, isRead: 0 }
  return (
    (await waitingFrom(trx, oneId, otherId).update(closed)) + (await waitingFrom(trx, otherId, oneId).update(closed))
  )
}

const friendships = (trx: Knex.Transaction, userId: number) => trx('userfriend').where({ user_id: userId, isActive: 1 })

/** @throws Conflict when either has too many friends */
async function checkFriends(trx: Knex.Transaction, userId: number, otherId: number, { friends }: FriendLimits) {
  if ((await countRows(friendships(trx, userId))) >= friends) conflict('too_many_friends')
  if ((await countRows(friendships(trx, otherId))) >= friends) conflict('too_many_friends_there')
}

/** @throws Conflict when one has blocked the other */
async function checkBlocks(trx: Knex.Transaction, userId: number, otherId: number) {
  const block = (by: number, blocked: number) =>
    trx('userblock').where({ user_id: by, blocked_id: blocked, isActive: 1 }).first('id')
  if ((await block(otherId, userId)) !== undefined) conflict('blocked')
  if ((await block(userId, otherId)) !== undefined) conflict('blocked_by_oneself')
}

async function makeFriends(trx: Knex.Transaction, oneId: number, otherId: number, now: number) {
  await trx('userfriend')
    .insert([
      { user_id: oneId, friend_id: otherId, add_time: now, isActive: 1 },
      { user_id: otherId, friend_id: oneId, add_time: now, isActive: 1 },
    ])
    .onConflict(['user_id', 'friend_id'])
    .merge(['add_time', 'isActive'])
}

/** Asks for a friendship; where the other one has asked already, both are friends then. */
export const requestFriend = (
  db: Knex,
  { fromId, toId, note, now }: { fromId: number; toId: number; note: string; now: number },
  limits: FriendLimits,
): Promise<Outcome<{ readonly areFriends: boolean }>> =>
  between(db, fromId, toId, async (trx) => {
    if ((await friendships(trx, fromId).where({ friend_id: toId }).first('id')) !== undefined)
      conflict('already_friends')
    await checkBlocks(trx, fromId, toId)
    if ((await waitingFrom(trx, fromId, toId).first('id')) !== undefined) conflict('already_requested')
    if ((await countRows(friendships(trx, fromId))) >= limits.friends) conflict('too_many_friends')
    if ((await waitingFrom(trx, toId, fromId).first('id')) !== undefined) {
      await checkFriends(trx, fromId, toId, limits)
      await closeRequests(trx, fromId, toId)
      await makeFriends(trx, fromId, toId, now)
      return { areFriends: true }
    }
    const waiting = (end: object) => countRows(trx('chatmsg').where({ ...WAITING, ...end }))
    if ((await waiting({ user_id: fromId })) >= limits.friendRequests) conflict('too_many_requests')
    if ((await waiting({ target_id: toId })) >= limits.friendRequests) conflict('too_many_requests_there')
    await trx('chatmsg').insert({
      ...WAITING,
      user_id: fromId,
      target_id: toId,
      msg: note,
      send_time: now,
      isRead: 1,
    })
    return { areFriends: false }
  })

/** Answers a request: of two answers at once, one finds none. */
export const answerRequest = (
  db: Knex,
  { userId, fromId, accept, now }: { userId: number; fromId: number; accept: boolean; now: number },
  limits: FriendLimits,
): Promise<Outcome<{ readonly areFriends: boolean }>> =>
  between(db, userId, fromId, async (trx) => {
    if ((await waitingFrom(trx, fromId, userId).first('id')) === undefined) conflict('no_request')
    if (accept) {
      await checkBlocks(trx, userId, fromId)
      await checkFriends(trx, userId, fromId, limits)
    }
    if ((await closeRequests(trx, userId, fromId)) === 0) conflict('no_request')
    if (accept) await makeFriends(trx, userId, fromId, now)
    return { areFriends: accept }
  })

/** Makes two users friends, whatever there was before but a block. */
export const befriend = (db: Knex, oneId: number, otherId: number, now: number): Promise<Outcome<object>> =>
  between(db, oneId, otherId, async (trx) => {
    await checkBlocks(trx, oneId, otherId)
    await closeRequests(trx, oneId, otherId)
    await makeFriends(trx, oneId, otherId, now)
    return {}
  })

/** Ends both sides of a friendship; false where there was none. */
async function endFriendship(trx: Knex.Transaction, oneId: number, otherId: number): Promise<boolean> {
  const end = (userId: number, friendId: number) =>
    friendships(trx, userId).where({ friend_id: friendId }).update({ isActive: 0 })
  return (await end(oneId, otherId)) + (await end(otherId, oneId)) > 0
}

/** Ends a friendship for both. */
export const unfriend = (db: Knex, oneId: number, otherId: number): Promise<Outcome<object>> =>
  between(db, oneId, otherId, async (trx) => {
    if (!(await endFriendship(trx, oneId, otherId))) conflict('not_friends')
    return {}
  })

/** Blocks a user: ends the friendship, the requests between them and what that one has invited to. */
export const block = (
  db: Knex,
  userId: number,
  blockedId: number,
  now: number,
  limit = Number.MAX_SAFE_INTEGER,
): Promise<Outcome<{ readonly wereFriends: boolean }>> =>
  between(db, userId, blockedId, async (trx) => {
    const others = trx('userblock').where({ user_id: userId, isActive: 1 }).whereNot({ blocked_id: blockedId })
    if ((await countRows(others)) >= limit) conflict('too_many_blocks')
    await closeRequests(trx, userId, blockedId)
    await withdrawInvitations(trx, blockedId, userId)
    const wereFriends = await endFriendship(trx, userId, blockedId)
    await trx('userblock')
      .insert({ user_id: userId, blocked_id: blockedId, add_time: now, isActive: 1 })
      .onConflict(['user_id', 'blocked_id'])
      .merge(['add_time', 'isActive'])
    return { wereFriends }
  })

export const unblock = (db: Knex, userId: number, blockedId: number): Promise<Outcome<object>> =>
  between(db, userId, blockedId, async (trx) => {
    const lifted = await trx('userblock')
      .where({ user_id: userId, blocked_id: blockedId, isActive: 1 })
      .update({ isActive: 0 })
    if (lifted === 0) conflict('not_blocked')
    return {}
  })
