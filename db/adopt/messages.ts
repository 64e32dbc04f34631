import type { Knex } from 'knex'
import { closedRequest, laneOf, MSG_TYPE } from '../messages.ts'
import { existingIds, flag, type Step } from './context.ts'
import type { Finding } from './ledger.ts'
import type { OriginalRows } from './original.ts'

type Message = OriginalRows['chatmsg']

/** Longest text of a message, and longest note of a friend request. */
const MAX_TEXT_BYTES = 200_000
const MAX_NOTE_BYTES = 200
/** A commit updates pages of every index, so many small ones take several times as long in SQLite. */
const ROWS_PER_PAGE = 2000
/** More rows with long texts would exceed MySQL's max_allowed_packet. */
const ROWS_PER_STATEMENT = 100
/** Sender id of the server's own messages. */
const SYSTEM_ID = 0

const TYPES: readonly number[] = Object.values(MSG_TYPE)

/** All of `chatmsg`: private messages as they are, group messages with sequence numbers, friend requests pending or closed. */
export const messages: Step<Message> = {
  name: 'chatmsg',
  pageSize: ROWS_PER_PAGE,
  count: ({ original }) => original.count('chatmsg'),
  read: ({ original }, after, limit) => original.page('chatmsg', after, limit),

  async write(_context, trx, rows) {
    const findings: Finding[] = []
    const tell = ({ id }: Message, outcome: Finding['outcome'], reason: string, detail = '') =>
      findings.push({ table: 'chatmsg', id, outcome, reason, detail })

    const isGroup = ({ msg_type }: Message) => msg_type === MSG_TYPE.group
    const targets = (toGroup: boolean) => rows.filter((row) => isGroup(row) === toGroup).map((row) => row.target_id)
    const users = await existingIds(trx, 'userinfo', [...rows.map((row) => row.user_id), ...targets(false)])
    const lastSeq = await lastSequences(trx, targets(true))
    const closed = await closedRequests(trx, rows)

    const taken = rows.flatMap((row) => {
      const fault = faultOf(row, users, lastSeq)
      if (fault !== undefined) {
        tell(row, 'refused', ...fault)
        return []
      }
      if (row.time === 0) tell(row, 'noted', 'no time is known, 1970 was taken')
      const message = {
        id: row.id,
        user_id: row.user_id,
        send_time: row.time,
        target_id: row.target_id,
        isRead: flag(row.isRead),
        msg_type: row.msg_type,
        msg: row.msg,
        isActive: flag(row.isActive),
        // The original has no client ids; derived from the row id, they are unique and repeatable. Friend requests have none.
        client_id: row.msg_type === MSG_TYPE.friendRequest ? null : `adopted-${row.id}`,
        seq: null as number | null,
        lane: laneOf(row),
      }
      if (isGroup(row)) {
        message.seq = (lastSeq.get(row.target_id) ?? 0) + 1
        lastSeq.set(row.target_id, message.seq)
        // Group messages are read up to the members' positions; isRead is unused.
        message.isRead = 0
      }
      const why = closed.get(row.id)
      if (why !== undefined) {
        if (message.isActive)
          tell(row, 'changed', `friend request closed: ${why}`, `${row.user_id} to ${row.target_id}`)
        message.isActive = 0
        message.isRead = 0
      } else if (row.msg_type === MSG_TYPE.friendRequest && Buffer.byteLength(row.msg) > MAX_NOTE_BYTES) {
        tell(row, 'changed', 'note of the friend request is too long: dropped')
        message.msg = ''
      }
      const isClosed = row.msg_type === MSG_TYPE.friendRequest && !message.isActive
      return [isClosed ? { ...message, ...closedRequest(row.id) } : message]
    })
    for (let from = 0; from < taken.length; from += ROWS_PER_STATEMENT)
      await trx('chatmsg').insert(taken.slice(from, from + ROWS_PER_STATEMENT))
    for (const [id, last_seq] of lastSeq) await trx('chatroom').where({ id }).update({ last_seq })
    return findings
  },
}

/** Why a row is refused; undefined for a valid one. */
function faultOf(
  { user_id, target_id, msg_type, msg }: Message,
  users: ReadonlySet<number>,
  groups: ReadonlyMap<number, number>,
): [reason: string, detail: string] | undefined {
  if (!TYPES.includes(msg_type)) return ['is of an unknown kind', `msg_type ${msg_type}`]
  const fromSystem = msg_type === MSG_TYPE.system && user_id === SYSTEM_ID
  // It would be shown as a message of the server.
  if (msg_type === MSG_TYPE.system && !fromSystem) return ['is a system message of a user', `user_id ${user_id}`]
  if (!users.has(user_id) && !fromSystem) return ['names a row that does not exist', `user_id ${user_id}`]
  const hasTarget = msg_type === MSG_TYPE.group ? groups.has(target_id) : users.has(target_id)
  if (!hasTarget) return ['names a row that does not exist', `target_id ${target_id}`]
  if (Buffer.byteLength(msg) > MAX_TEXT_BYTES) return ['is too long', `${Buffer.byteLength(msg)} bytes`]
  return undefined
}

/** The last sequence number of each existing group. */
async function lastSequences(trx: Knex.Transaction, ids: readonly number[]): Promise<Map<number, number>> {
  const rows = ids.length === 0 ? [] : await trx('chatroom').whereIn('id', ids).select('id', 'last_seq')
  return new Map(rows.map(({ id, last_seq }) => [id, Number(last_seq)]))
}

/**
 * Friend requests that are not pending any more, with the reason. The original stores a request only while the recipient
 * is offline, and its client asks the user for an answer on delivery: a delivered request counts as answered.
 */
async function closedRequests(trx: Knex.Transaction, rows: readonly Message[]): Promise<ReadonlyMap<number, string>> {
  const closed = new Map<number, string>()
  const requests = rows.filter(({ msg_type }) => msg_type === MSG_TYPE.friendRequest)
  if (requests.length === 0) return closed
  const pair = (one: number, other: number) => `${one} ${other}`
  const pairs = requests.map(({ user_id, target_id }) => [user_id, target_id])
  const friends: { user_id: number; friend_id: number }[] = await trx('userfriend')
    .where({ isActive: 1 })
    .whereIn(['user_id', 'friend_id'], pairs)
  const areFriends = new Set(friends.map(({ user_id, friend_id }) => pair(user_id, friend_id)))
  const earlier: { user_id: number; target_id: number }[] = await trx('chatmsg')
    .where({ msg_type: MSG_TYPE.friendRequest, lane: -MSG_TYPE.friendRequest, isActive: 1 })
    .whereIn(
      ['target_id', 'user_id'],
      pairs.map(([one, other]) => [other, one] as [number, number]),
    )
    .select('user_id', 'target_id')
  const waiting = new Set(earlier.map(({ user_id, target_id }) => pair(user_id, target_id)))
  for (const { id, user_id, target_id, isRead, isActive } of requests) {
    const key = pair(user_id, target_id)
    if (user_id === target_id) closed.set(id, 'to oneself')
    else if (!isRead) closed.set(id, 'it was delivered')
    else if (areFriends.has(key)) closed.set(id, 'they are friends')
    else if (waiting.has(key)) closed.set(id, 'an earlier one is pending')
    else if (isActive) waiting.add(key)
  }
  return closed
}
