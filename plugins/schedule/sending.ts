import { isTransientFailure, Refused, toLine } from '../../core/index.ts'
import { contentOf, findGroupById, type ScheduledRow, settleScheduled } from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import { SendMessage } from '../messages/messages.ts'
import type { Parts } from './parts.ts'

const [MIN_PAUSE_MS, MAX_PAUSE_MS] = [5000, 300_000]
/** Bytes of a stored reason. */
const REASON_BYTES = 512

/** Sends a due message and stores the outcome. Rejects when that cannot be stored: it is then sent again. */
export async function sendScheduled(parts: Parts, row: ScheduledRow) {
  const { app, db } = parts
  const now = () => app.clock.time()
  try {
    const message_id = await post(parts, row)
    await settleScheduled(db, row, { state: 'sent', message_id, done_at: now(), reason: '', msg: '' })
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    await settleRefused(parts, row, error)
  }
}

/** A transient refusal is retried, after pauses that grow with the delay; any other one is final. */
async function settleRefused({ app, db, log }: Parts, row: ScheduledRow, refused: Refused) {
  const { id, due_at } = row
  const now = app.clock.time()
  const reason = toLine(`${refused.code}: ${refused.message}`, REASON_BYTES)
  if (isTransientFailure(refused.code)) {
    const pause = Math.min(Math.max(MIN_PAUSE_MS, (now - due_at) / 4), MAX_PAUSE_MS)
    const next_at = Math.round(now + Math.max(refused.retryAfter, pause))
    return settleScheduled(db, row, { state: 'waiting', next_at, reason })
  }
  log.info({ scheduled: id, failure: refused.code }, 'a scheduled message was refused')
  return settleScheduled(db, row, { state: 'failed', reason, done_at: now })
}

/**
 * Sends a message on behalf of its author, who may be offline, and returns the id of the message.
 * @throws Refused as for the author, `account_disabled`, and for a recipient that does not exist any more
 */
async function post({ app, db, accounts }: Parts, row: ScheduledRow): Promise<number> {
  const byId = await accounts.byIds([row.user_id, ...(row.is_group ? [] : [row.target_id])])
  const account = byId.get(row.user_id)
  if (!account?.active) throw new Refused('account_disabled')
  const { id, name, nickname, role } = account
  const session = app.onBehalfOf({ id, name, nickname, role })
  // The same client id each time: stored once, however often it is sent before the outcome is stored.
  const message = {
    ...contentOf(row),
    clientId: `scheduled-${row.id}`,
    hops: row.hops,
    replyTo: row.reply_to,
    file: row.file_id,
  }
  if (!row.is_group) {
    const to = byId.get(row.target_id)?.name
    if (to === undefined) throw new Refused(ACCOUNT_FAILURES.user_not_exist)
    return (await session.request(SendMessage, { to, ...message })).id
  }
  // By id: another group may have the name of a dissolved one.
  const group = (await findGroupById(db, row.target_id))?.chatroom_name
  if (group === undefined) throw new Refused(GROUP_FAILURES.group_not_exist)
  return (await session.request(ChatroomMessage, { group, ...message })).id
}
