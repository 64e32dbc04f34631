import type { Knex } from 'knex'
import { withdrawInvitations } from './group-membership.ts'
import { Conflict, countRows, lockUsers } from './locks.ts'
import { note, takeNumbers } from './log.ts'
import { closedRequest, MSG_TYPE } from './messages.ts'
import { asking, BY_LANE } from './selects.ts'
import { transact } from './transaction.ts'

/** One direction of a friendship, which always has two rows. */
export interface FriendRow {
  readonly user_id: number
  readonly friend_id: number
  readonly add_time: number
}

/** A pending friend request: a `chatmsg` row of msg_type 3 with the note as text. For others see closedRequest. */
export interface RequestRow {
  readonly id: number
  /** The requesting user. */
  readonly user_id: number
  /** The requested user. */
  readonly target_id: number
  readonly msg: string
  readonly send_time: number
}

/** Columns common to all pending requests; together with a sender's or recipient's id they select an index range. */
const PENDING = {
  msg_type: MSG_TYPE.friendRequest,
  lane: -MSG_TYPE.friendRequest,
  client_id: null,
  seq: null,
  isActive: 1,
}

const pendingTo = (db: Knex, userId: number): Knex.QueryBuilder =>
  db(db.raw(BY_LANE)).where({ ...PENDING, target_id: userId })

/** The hint, a comment to SQLite, keeps MariaDB from walking through the table in the order of ids. */
const BY_CLIENT_ID = 'chatmsg /*! force index (chatmsg_client_id) */'

const pendingBy = (db: Knex, userId: number): Knex.QueryBuilder =>
  db(db.raw(BY_CLIENT_ID)).where({ ...PENDING, user_id: userId })

export const friendsOf = async (db: Knex, userId: number): Promise<FriendRow[]> =>
  (await asking(db)('select user_id, friend_id, add_time from userfriend where user_id = ? and isActive = 1', [
    userId,
  ])) as FriendRow[]

export async function blockedBy(db: Knex, userId: number): Promise<number[]> {
  const sql = 'select blocked_id from userblock where user_id = ? and isActive = 1 order by id'
  return ((await asking(db)(sql, [userId])) as { blocked_id: number }[]).map(({ blocked_id }) => blocked_id)
}

/** Pending requests from and to a user, oldest first. */
export async function requestsOf(db: Knex, userId: number, limit: number): Promise<RequestRow[]> {
  // One index range for each end; an OR would read the pending requests of everyone.
  const values = [userId, limit]
  const rows = [...(await asking(db)(REQUESTS_TO, values)), ...(await asking(db)(REQUESTS_BY, values))] as RequestRow[]
  return rows.sort((a, b) => a.id - b.id).slice(0, limit)
}

const oldestPending = (messages: string, end: string) =>
  `select id, user_id, target_id, msg, send_time from ${messages}
   where ${end} = ? and msg_type = ${PENDING.msg_type} and lane = ${PENDING.lane} and client_id is null and seq is null
   and isActive = 1 order by id limit ?`
const REQUESTS_TO = oldestPending(BY_LANE, 'target_id')
const REQUESTS_BY = oldestPending(BY_CLIENT_ID, 'user_id')

/** Why a relation between two users was not changed. */
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
  | 'too_many_blocks'

type Outcome<T> = T | { readonly conflict: FriendConflict }

const conflict = (reason: FriendConflict): never => {
  throw new Conflict(reason)
}

/**
 * Changes the relation of two users in a transaction, under the locks of both. Not idempotent: an error when the
 * connection is lost at its commit.
 */
async function between<T>(
  db: Knex,
  oneId: number,
  otherId: number,
  work: (trx: Knex.Transaction) => Promise<T>,
): Promise<Outcome<T>> {
  const locked = async (trx: Knex.Transaction) => {
    await lockUsers(trx, oneId, otherId)
    const done = await work(trx)
    await note(trx, { topic: 'relation', subject: oneId, target_id: otherId })
    return done
  }
  try {
    return await transact(db, locked, { repeatable: false })
  } catch (error) {
    if (error instanceof Conflict) return { conflict: error.reason as FriendConflict }
    throw error
  }
}

/** Limits per user, see LIMITS. */
export interface FriendLimits {
  readonly friends: number
  readonly friendRequests: number
}

const pendingFrom = (trx: Knex.Transaction, fromId: number, toId: number) =>
  pendingTo(trx, toId).where({ user_id: fromId })

/** Closes the requests between two users, in both directions; returns their number. */
async function closeRequests(trx: Knex.Transaction, oneId: number, otherId: number): Promise<number> {
  const ids = [
    ...(await pendingFrom(trx, oneId, otherId).pluck('id')),
    ...(await pendingFrom(trx, otherId, oneId).pluck('id')),
  ]
  return close(trx, ids)
}

async function close(trx: Knex.Transaction, ids: readonly number[]): Promise<number> {
  let closed = 0
  for (const id of ids) closed += await trx('chatmsg').where({ id, isActive: 1 }).update(closedRequest(id))
  return closed
}

/** Closes the oldest pending requests to a user beyond a number: many accounts must not shut out all others. */
async function dropExcess(trx: Knex.Transaction, toId: number, kept: number) {
  await close(trx, await pendingTo(trx, toId).orderBy('id', 'desc').offset(kept).pluck('id'))
}

const friendships = (trx: Knex.Transaction, userId: number) => trx('userfriend').where({ user_id: userId, isActive: 1 })

/** @throws Conflict when either user has reached the limit of friends */
async function checkFriends(trx: Knex.Transaction, userId: number, otherId: number, { friends }: FriendLimits) {
  if ((await countRows(friendships(trx, userId))) >= friends) conflict('too_many_friends')
  if ((await countRows(friendships(trx, otherId))) >= friends) conflict('too_many_friends_there')
}

/** @throws Conflict when either user has blocked the other */
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

/** Requests a friendship; if the other user has requested it before, both become friends. */
export const requestFriend = (
  db: Knex,
  { fromId, toId, note, now }: { fromId: number; toId: number; note: string; now: number },
  limits: FriendLimits,
): Promise<Outcome<{ readonly areFriends: boolean }>> =>
  between(db, fromId, toId, async (trx) => {
    if ((await friendships(trx, fromId).where({ friend_id: toId }).first('id')) !== undefined)
      conflict('already_friends')
    await checkBlocks(trx, fromId, toId)
    if ((await pendingFrom(trx, fromId, toId).first('id')) !== undefined) conflict('already_requested')
    if ((await countRows(friendships(trx, fromId))) >= limits.friends) conflict('too_many_friends')
    if ((await pendingFrom(trx, toId, fromId).first('id')) !== undefined) {
      await checkFriends(trx, fromId, toId, limits)
      await closeRequests(trx, fromId, toId)
      await makeFriends(trx, fromId, toId, now)
      return { areFriends: true }
    }
    if ((await countRows(pendingBy(trx, fromId))) >= limits.friendRequests) conflict('too_many_requests')
    await dropExcess(trx, toId, limits.friendRequests - 1)
    await trx('chatmsg').insert({
      id: await takeNumbers(trx, 1),
      ...PENDING,
      user_id: fromId,
      target_id: toId,
      msg: note,
      send_time: now,
      isRead: 1,
    })
    return { areFriends: false }
  })

/** Answers a request. Of two concurrent answers one fails with `no_request`. */
export const answerRequest = (
  db: Knex,
  { userId, fromId, accept, now }: { userId: number; fromId: number; accept: boolean; now: number },
  limits: FriendLimits,
): Promise<Outcome<{ readonly areFriends: boolean }>> =>
  between(db, userId, fromId, async (trx) => {
    if ((await pendingFrom(trx, fromId, userId).first('id')) === undefined) conflict('no_request')
    if (accept) {
      await checkBlocks(trx, userId, fromId)
      await checkFriends(trx, userId, fromId, limits)
    }
    if ((await closeRequests(trx, userId, fromId)) === 0) conflict('no_request')
    if (accept) await makeFriends(trx, userId, fromId, now)
    return { areFriends: accept }
  })

/** Makes two users friends without a request, unless one has blocked the other. */
export const befriend = (db: Knex, oneId: number, otherId: number, now: number): Promise<Outcome<object>> =>
  between(db, oneId, otherId, async (trx) => {
    await checkBlocks(trx, oneId, otherId)
    await closeRequests(trx, oneId, otherId)
    await makeFriends(trx, oneId, otherId, now)
    return {}
  })

/** Deletes both directions of a friendship logically; false if there was none. */
async function endFriendship(trx: Knex.Transaction, oneId: number, otherId: number): Promise<boolean> {
  const end = (userId: number, friendId: number) =>
    friendships(trx, userId).where({ friend_id: friendId }).update({ isActive: 0 })
  return (await end(oneId, otherId)) + (await end(otherId, oneId)) > 0
}

/** Ends a friendship for both users. */
export const unfriend = (db: Knex, oneId: number, otherId: number): Promise<Outcome<object>> =>
  between(db, oneId, otherId, async (trx) => {
    if (!(await endFriendship(trx, oneId, otherId))) conflict('not_friends')
    return {}
  })

/** Blocks a user: ends the friendship, closes the requests of both, and withdraws that user's invitations to groups. */
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
