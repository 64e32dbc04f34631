import { createHash } from 'node:crypto'
import { newClientId, Refused, type User, type UserSession, type ValuesOf } from '../../core/index.ts'
import { cancelScheduled, contentColumns, findScheduled, insertScheduled, type ScheduledRow } from '../../db/index.ts'
import { Attachments } from '../messages/attachments.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import { Replies } from '../messages/replies.ts'
import { FAILURES } from './failures.ts'
import { CancelScheduled, ScheduleMessage } from './messages.ts'
import type { Parts } from './parts.ts'

type Scheduling = ValuesOf<typeof ScheduleMessage>

/** Longest time ahead. */
const MAX_AHEAD_MS = 366 * 86_400_000

/** @param wake tells the scheduler that a message may be due earlier than the next one known */
export function handleScheduling(parts: Parts, wake: () => void) {
  const { app, db, conversations } = parts
  const replies = new Replies({ db, conversations })
  const attachments = new Attachments({ db, conversations })

  const storeWithFile = async (session: UserSession, key: Parameters<typeof store>[1], message: Scheduling) => {
    const { release } = await attachments.take(session, { ...message, clientId: '' })
    try {
      return await store(parts, key, message, wake)
    } finally {
      release()
    }
  }

  app.handle(ScheduleMessage, async (session, message) => {
    const { user } = session
    const { to, group, clientId, replyTo } = message
    conversations.checkContent(message)
    const target = await targetOf(parts, user, to, group)
    const key = { user_id: user.id, client_id: clientId || newClientId() }
    // A repeated request gets the first reply, however late it comes.
    const earlier = await findScheduled(db, key)
    if (earlier === undefined && replyTo !== 0) {
      const place = { targetId: target.target_id, isGroup: target.is_group === 1 }
      await replies.check(session, { ...place, replyTo, clientId: '' })
    }
    const { row, repeat } =
      earlier === undefined
        ? await storeWithFile(session, { ...key, ...target }, message)
        : { row: earlier, repeat: true }
    checkSame(row, target, message)
    return { id: row.id, at: row.due_at, repeat }
  })

  app.handle(CancelScheduled, async ({ user }, { id }) => {
    if (!(await cancelScheduled(db, user.id, id, app.clock.time()))) throw new Refused(FAILURES.no_scheduled)
  })
}

interface Target {
  readonly target_id: number
  readonly is_group: number
}

/** The recipient by id: users and groups may be renamed until the message is due. @throws Refused */
async function targetOf({ accounts, groups }: Parts, user: User, to: string, group: string): Promise<Target> {
  if ((to === '') === (group === '')) throw new Refused('invalid_value', 'set either `to` or `group`')
  if (to !== '') return { target_id: (await accounts.require(to, { active: true })).id, is_group: 0 }
  return { target_id: (await groups.member(group, user)).id, is_group: 1 }
}

/** @throws Refused `invalid_value` */
function dueTime(now: number, at: number, delay: number): number {
  if ((at === 0) === (delay === 0)) throw new Refused('invalid_value', 'set either `at` or `delay`')
  const due = at || now + delay
  if (due < now) throw new Refused('invalid_value', 'the time is in the past')
  if (due > now + MAX_AHEAD_MS) throw new Refused('invalid_value', 'the time is more than a year ahead')
  return due
}

/** @throws Refused `too_many`, `invalid_value` */
async function store(
  { app, limits, db }: Parts,
  key: Target & { readonly user_id: number; readonly client_id: string },
  message: Scheduling,
  wake: () => void,
) {
  const now = app.clock.time()
  const times = { made_at: now, due_at: dueTime(now, message.at, message.delay) }
  const { text, hops } = message
  const content = {
    ...contentColumns(message),
    text_hash: hashOf(text),
    hops,
    reply_to: message.replyTo,
    file_id: message.file,
  }
  try {
    const stored = await insertScheduled(db, { ...key, ...content, ...times }, limits.scheduled)
    if (stored !== undefined) return stored
    throw new Refused('too_many', 'you have too many waiting scheduled messages')
  } finally {
    // After an error it may be stored all the same.
    wake()
  }
}

/** @throws Refused `client_id_reused` when the client id was used for another recipient, text or file */
function checkSame(row: ScheduledRow, { target_id, is_group }: Target, { text, file }: Scheduling) {
  const isSameTarget = row.target_id === target_id && row.is_group === is_group
  // Settled rows have no text any more; rows of an earlier version have no hash.
  const isSameText = row.text_hash === null ? row.msg === '' || row.msg === text : row.text_hash === hashOf(text)
  if (!isSameTarget || !isSameText || row.file_id !== file) throw new Refused(MESSAGE_FAILURES.client_id_reused)
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
