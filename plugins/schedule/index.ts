import { createHash } from 'node:crypto'
import { definePlugin, newClientId, Refused, ServerStarted, toLine, type User } from '../../core/index.ts'
import {
  cancelScheduled,
  contentColumns,
  contentOf,
  findGroupById,
  findScheduled,
  forgetScheduled,
  groupNameOf,
  insertScheduled,
  type NewScheduledRow,
  nextScheduled,
  resumeScheduled,
  type ScheduledRow,
  scheduledOf,
  settleScheduled,
  takeDue,
} from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { accounts } from '../accounts/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import { groups } from '../groups/index.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import { privateMessages } from '../messages/index.ts'
import { SendMessage } from '../messages/messages.ts'
import { PAGE_BYTES } from '../messages/page.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { Sender } from './sender.ts'

const { CancelScheduled, QueryScheduled, ScheduleMessage } = messages

const DAY_MS = 86_400_000
/** How far ahead a message may be scheduled. */
const AHEAD_MS = 366 * DAY_MS
/** How long what is done stays on the list. */
const KEPT_MS = 30 * DAY_MS
/** Refusals that may be others a while later. */
const PASSING = ['unavailable', 'rate_limited', 'internal', 'shutting_down']
const FIRST_PAUSE_MS = 5000
const LAST_PAUSE_MS = 300_000

/** Messages that are sent at a set time in their sender's name, who need not be here; also after a restart. */
export const schedule = definePlugin({
  name: 'schedule',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages, groups },
  setup(app, { needs, limits, log, db }) {
    const now = () => app.clock.time()

    /** Users and groups by number, since both may be renamed until then. @throws Refused */
    const targetOf = async (user: User, to: string, group: string) => {
      if ((to === '') === (group === '')) throw new Refused('invalid_value', 'to a user or to a group, one of them')
      if (to !== '') {
        const account = await needs.accounts.requireActive(to)
        return { target_id: account.id, is_group: 0 }
      }
      const found = await needs.groups.member(group, user)
      return { target_id: found.id, is_group: 1 }
    }

    /** @throws Refused `invalid_value` */
    const timeOf = (at: number, delay: number): number => {
      if ((at === 0) === (delay === 0)) throw new Refused('invalid_value', 'at a time or after a delay, one of them')
      const due = at || now() + delay
      if (due < now()) throw new Refused('invalid_value', 'that time is over')
      if (due > now() + AHEAD_MS) throw new Refused('invalid_value', 'that is more than a year ahead')
      return due
    }

    /** @throws Refused `too_many` */
    const store = async (row: NewScheduledRow) => {
      const stored = await insertScheduled(db, row, limits.scheduled)
      if (stored !== undefined) return stored
      throw new Refused('too_many', 'too many of your messages wait for their time')
    }

    app.handle(ScheduleMessage, async ({ user }, { to, group, at, delay, clientId, hops, ...content }) => {
      const { text } = content
      needs.messages.checkText(text)
      const target = await targetOf(user, to, group)
      const asked = { user_id: user.id, client_id: clientId || newClientId() }
      // Told the same as the first time, whatever the time is now.
      let stored = await findScheduled(db, asked)
      let repeat = stored !== undefined
      if (stored === undefined) {
        const due = timeOf(at, delay)
        const times = { made_at: now(), due_at: due }
        const row = { ...asked, ...target, ...contentColumns(content), text_hash: hashOf(text), hops, ...times }
        try {
          const inserted = await store(row)
          stored = inserted.row
          repeat = inserted.repeat
        } finally {
          // Also after an error: it may be stored all the same.
          sender.wake()
        }
      }
      const { target_id, is_group, msg, text_hash } = stored
      const isElsewhere = target_id !== target.target_id || is_group !== target.is_group
      // What is done has no text any more, and what is older than the hashes has none of these.
      const isOther = text_hash === null ? msg !== '' && msg !== text : text_hash !== hashOf(text)
      if (isElsewhere || isOther) throw new Refused(MESSAGE_FAILURES.client_id_reused)
      return { id: stored.id, at: stored.due_at, repeat }
    })

    app.handle(
      QueryScheduled,
      async ({ user }, { after, limit, all }) => {
        const size = needs.messages.pageSize(limit)
        const rows = await scheduledOf(db, user.id, { after, limit: size + 1, all })
        const page = rows.slice(0, Math.min(size, fitting(rows)))
        const names = await needs.accounts.byIds(page.filter((row) => !row.is_group).map((row) => row.target_id))
        const list = await Promise.all(
          page.map(async (row) => ({
            id: row.id,
            to: row.is_group ? '' : (names.get(row.target_id)?.name ?? `#${row.target_id}`),
            group: row.is_group ? ((await groupNameOf(db, row.target_id)) ?? `#${row.target_id}`) : '',
            text: row.msg,
            at: row.due_at,
            state: row.state === 'sending' ? 'waiting' : row.state,
            reason: row.reason,
            messageId: row.message_id,
          })),
        )
        return { more: page.length < rows.length, messages: list }
      },
      { serial: true },
    )

    app.handle(CancelScheduled, async ({ user }, { id }) => {
      if (!(await cancelScheduled(db, user.id, id, now()))) throw new Refused(FAILURES.no_scheduled)
    })

    /** @throws Refused as the sender would be, or because there is no such account or group any more */
    const post = async (row: ScheduledRow): Promise<number> => {
      const byId = await needs.accounts.byIds([row.user_id, ...(row.is_group ? [] : [row.target_id])])
      const account = byId.get(row.user_id)
      if (!account?.active) throw new Refused('account_disabled')
      const { id, name, nickname, role } = account
      const session = app.onBehalfOf({ id, name, nickname, role })
      // So that a message that was stored, but not noted here, is stored once.
      const message = { ...contentOf(row), clientId: `scheduled-${row.id}`, hops: row.hops }
      if (!row.is_group) {
        const to = byId.get(row.target_id)?.name
        if (to === undefined) throw new Refused(ACCOUNT_FAILURES.user_not_exist)
        return (await session.request(SendMessage, { to, ...message })).id
      }
      // Not by the name of a dissolved group, which another one may have by now.
      const group = (await findGroupById(db, row.target_id))?.chatroom_name
      if (group === undefined) throw new Refused(GROUP_FAILURES.group_not_exist)
      return (await session.request(ChatroomMessage, { group, ...message })).id
    }

    const sender = new Sender({
      clock: app.clock,
      log,
      resume: () => resumeScheduled(db),
      next: () => nextScheduled(db),
      take: () => takeDue(db, now()),
      send: async (row) => {
        const { id } = row
        try {
          const message_id = await post(row)
          await settleScheduled(db, id, { state: 'sent', message_id, done_at: now(), reason: '', msg: '' })
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          const reason = toLine(`${error.code}: ${error.message}`, 512)
          if (PASSING.includes(error.code)) {
            // The longer it could not be sent, the longer the pause.
            const pause = Math.min(Math.max(FIRST_PAUSE_MS, (now() - row.due_at) / 4), LAST_PAUSE_MS)
            const next_at = Math.round(now() + Math.max(error.retryAfter, pause))
            await settleScheduled(db, id, { state: 'waiting', next_at, reason })
            return
          }
          log.info({ scheduled: id, failure: error.code }, 'a scheduled message was refused')
          await settleScheduled(db, id, { state: 'failed', reason, done_at: now() })
        }
      },
    })

    const forget = () => forgetScheduled(db, now() - KEPT_MS)
    app.on(ServerStarted, () => sender.wake())
    app.on(ServerStarted, forget)
    app.every(DAY_MS, forget)
    app.onStop(() => sender.stop())
  },
})

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** How many of these fit into one packet: at least one. */
function fitting(rows: readonly ScheduledRow[]): number {
  let bytes = 0
  const tooMany = rows.findIndex(({ msg }) => {
    bytes += Buffer.byteLength(msg)
    return bytes > PAGE_BYTES
  })
  return tooMany === -1 ? rows.length : Math.max(1, tooMany)
}
