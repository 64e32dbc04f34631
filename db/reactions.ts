import type { Knex } from 'knex'
import { Conflict, countRows } from './locks.ts'
import { note } from './log.ts'
import { type Check, refuseOutdated } from './outdated.ts'
import { transact } from './transaction.ts'

/** One user's reaction to a message. */
export interface Reaction {
  readonly messageId: number
  readonly userId: number
  readonly emoji: string
}

export interface ReactionLimits {
  /** Reactions of one user to one message. */
  readonly reactionsPerUser: number
  /** Different emoji on one message. */
  readonly reactionEmoji: number
}

export interface ReactionState {
  readonly isSet: boolean
  /** Users with this reaction to the message. */
  readonly count: number
}

/** Why a reaction was not set. */
export type ReactionConflict = 'no_message' | 'too_many_of_user' | 'too_many_emoji'

const conflict = (reason: ReactionConflict): never => {
  throw new Conflict(reason)
}

/**
 * Sets or removes a reaction. Undefined if it was so before. An error when the connection is lost at its commit.
 * @throws Outdated
 */
export async function setReaction(
  db: Knex,
  reaction: Reaction,
  isSet: boolean,
  { now, check, ...limits }: ReactionLimits & { readonly now: number; readonly check: Check },
): Promise<ReactionState | { readonly conflict: ReactionConflict } | undefined> {
  const { messageId: message_id, userId: user_id, emoji } = reaction
  const key = { message_id, user_id, emoji }
  const change = async (trx: Knex.Transaction): Promise<ReactionState | undefined> => {
    // The counts change only under this lock.
    const message = await trx('chatmsg').where({ id: message_id, isActive: 1 }).forUpdate().first('target_id', 'lane')
    if (message === undefined) return conflict('no_message')
    const row = await trx('message_reaction').where(key).first('isActive')
    if (Boolean(row?.isActive) === isSet) return undefined
    if (isSet) await checkLimits(trx, reaction, limits)
    const values = { isActive: isSet ? 1 : 0, changed_at: now }
    await trx('message_reaction')
      .insert({ ...key, ...values })
      .onConflict(['message_id', 'user_id', 'emoji'])
      .merge(values)
    const state = await reactionStateOf(trx, reaction)
    await note(trx, { topic: 'reaction', subject: message_id, target_id: message.target_id, lane: message.lane })
    await refuseOutdated(trx, check)
    return state
  }
  try {
    return await transact(db, change, { repeatable: false })
  } catch (error) {
    if (error instanceof Conflict) return { conflict: error.reason as ReactionConflict }
    throw error
  }
}

async function checkLimits(
  trx: Knex.Transaction,
  { messageId: message_id, userId: user_id, emoji }: Reaction,
  { reactionsPerUser, reactionEmoji }: ReactionLimits,
) {
  const active = () => trx('message_reaction').where({ message_id, isActive: 1 })
  if ((await countRows(active().where({ user_id }))) >= reactionsPerUser) conflict('too_many_of_user')
  if ((await active().where({ emoji }).first('emoji')) !== undefined) return
  const [row] = await active().countDistinct({ count: 'emoji' })
  if (Number(row?.count) >= reactionEmoji) conflict('too_many_emoji')
}

export async function reactionStateOf(
  db: Knex,
  { messageId: message_id, userId: user_id, emoji }: Reaction,
): Promise<ReactionState> {
  const users: number[] = await db('message_reaction').where({ message_id, emoji, isActive: 1 }).pluck('user_id')
  return { isSet: users.includes(user_id), count: users.length }
}

/** The reactions with one emoji to a message. */
export interface ReactionCount {
  readonly id: number
  readonly emoji: string
  readonly count: number
  /** Whether the asking user is one of them. */
  readonly own: boolean
}

/** The reactions to some messages, by message, those set first before others. */
export async function countReactions(db: Knex, ids: readonly number[], userId: number): Promise<ReactionCount[]> {
  const rows: { message_id: number; emoji: string; count: number; own: number }[] = await db('message_reaction')
    .whereIn('message_id', ids)
    .where({ isActive: 1 })
    .groupBy('message_id', 'emoji')
    .select('message_id', 'emoji', {
      count: db.raw('count(*)'),
      own: db.raw('max(case when user_id = ? then 1 else 0 end)', [userId]),
    })
    .orderBy('message_id')
    .orderByRaw('min(changed_at)')
    .orderBy('emoji')
  return rows.map(({ message_id: id, emoji, count, own }) => ({ id, emoji, count, own: Number(own) === 1 }))
}
