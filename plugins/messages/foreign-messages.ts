import type { Knex } from 'knex'
import type { App } from '../../core/index.ts'
import { fileOf, type MessageRow, MSG_TYPE, messagesInLog, type NumberedEntry, textForm } from '../../db/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { Audience } from './audience.ts'
import type { Deliveries } from './deliveries.ts'
import { emitChange } from './events.ts'
import type { Routed, SharedLog } from './fan-out.ts'
import { type Exchange, exchangeOf, type Loops } from './loops.ts'
import type { Source } from './source.ts'
import type { Sources } from './sources.ts'

export interface ForeignMessagesParts {
  readonly app: App
  readonly db: Knex
  readonly sources: Sources
  readonly deliveries: Deliveries
  readonly accounts: Accounts
  readonly loops: Loops
}

/** Messages that other servers have stored, and their changes, for the sessions of this one. */
export class ForeignMessages {
  readonly #parts: ForeignMessagesParts

  constructor(parts: ForeignMessagesParts) {
    this.#parts = parts
  }

  /** Follows recalls and edits: what waits for a session is not pushed any more, or with its new text [D-8] [D-13]. */
  follow(log: SharedLog) {
    const missed = () => {}
    log.follow('recall', { missed, changed: (entry) => this.#changed(entry) })
    log.follow('edit', { missed, changed: (entry) => this.#changed(entry) })
  }

  /** Reads the accounts that `find` needs for these messages with one query. */
  async prepare(rows: readonly MessageRow[]) {
    const ids = new Set<number>()
    for (const row of rows) {
      if (this.#isElsewhere(row)) continue
      ids.add(row.user_id)
      if (row.msg_type !== MSG_TYPE.group) ids.add(row.target_id)
    }
    if (ids.size > 0) await this.#parts.accounts.byIds(ids)
  }

  /** Whether a private message concerns no session of this server. */
  #isElsewhere({ msg_type, user_id, target_id }: MessageRow): boolean {
    const { deliveries } = this.#parts
    return msg_type !== MSG_TYPE.group && !deliveries.hasAny(user_id) && !deliveries.hasAny(target_id)
  }

  /** A message with the users of this server who may read it now; undefined if nobody is told of it. */
  find(row: MessageRow): Routed | undefined | Promise<Routed> {
    const { loops, sources } = this.#parts
    const [source] = sources.ofKind(row.msg_type)
    // A friend request; or recalled since, and the entry of that comes later.
    if (source === undefined || row.isActive !== 1) return undefined
    if (!this.#isElsewhere(row)) return this.#place(row, source)
    const exchange = exchangeOf({ id: row.user_id }, { id: row.target_id })
    if (row.hops > 0) return this.#countHops(exchange, row).then(() => nobody(row))
    // Most messages are of people who are elsewhere: nothing is looked up for them.
    loops.heard(exchange, undefined, 0)
    return nobody(row)
  }

  async #place(row: MessageRow, source: Source): Promise<Routed> {
    const { user_id, target_id } = row
    const isGroup = row.msg_type === MSG_TYPE.group
    if (!isGroup) await this.#countHops(exchangeOf({ id: user_id }, { id: target_id }), row)
    const { conversation, from, to, group, readers } = await source.place(row)
    if (isGroup) await this.#countHops({ key: conversation, group }, row)
    const audience: Audience = {
      conversation,
      targetId: target_id,
      names: { from, to, group, unread: true },
      recipients: isGroup ? [...readers] : [target_id],
      except: isGroup ? user_id : undefined,
      sentOn: undefined,
    }
    return { message: messageOf(row, audience), row, audience }
  }

  /** Bots on different servers stop answering each other as those on one do. */
  async #countHops(exchange: Exchange, { user_id, hops }: MessageRow) {
    const { accounts, loops } = this.#parts
    loops.heard(exchange, hops === 0 ? undefined : (await accounts.byIds([user_id])).get(user_id), hops)
  }

  /** Also for a change of this server, which has done the same: neither does harm made twice. */
  async #changed({ topic, subject }: NumberedEntry) {
    const { app, db, deliveries, sources } = this.#parts
    const [row] = await messagesInLog(db, subject - 1, subject, 1)
    const [source] = row === undefined ? [] : sources.ofKind(row.msg_type)
    if (row === undefined || source === undefined) return
    const { conversation, readers } = await source.place(row)
    const userIds = [...readers]
    const revision = { id: row.id, text: row.msg, editedAt: row.edited_at ?? 0 }
    for (const userId of userIds)
      if (topic === 'recall') deliveries.forget(userId, conversation, row.id)
      else deliveries.edited(userId, revision)
    emitChange(app, row, userIds)
  }
}

/** Of a message that no session of this server gets. */
const NOBODY: Audience = {
  conversation: '',
  targetId: 0,
  names: { from: '', to: '', group: '', unread: true },
  recipients: [],
  except: undefined,
  sentOn: undefined,
}

const nobody = (row: MessageRow): Routed => ({
  message: messageOf(row, NOBODY),
  row,
  audience: { ...NOBODY, targetId: row.target_id, recipients: [row.target_id] },
})

const messageOf = (row: MessageRow, { names }: Audience) =>
  textForm(row.id, row, names, row.reply_to ?? 0, row.edited_at ?? 0, fileOf(row))
