import type { Knex } from 'knex'
import { Refused } from '../../core/index.ts'
import {
  conversation,
  fileOf,
  type MessageRow,
  MSG_TYPE,
  messagesTo,
  positionsWith,
  privateIds,
  textForm,
  unreadBySender,
  withReadState,
} from '../../db/index.ts'
import { type Account, type Accounts, existing } from '../accounts/index.ts'
import { privateWith } from './audience.ts'
import type { Deliverable } from './deliverable.ts'
import type { HistorySource } from './page.ts'
import type { Trail } from './search.ts'
import type { Positions, Source } from './source.ts'
import type { WriteRules } from './write-rules.ts'

/** Conversations in one read of positions. */
const POSITIONS_PER_READ = 500

/** Private messages in the database, with the names of their users. */
export class PrivateMessages {
  readonly #db: Knex
  readonly #accounts: Accounts
  readonly #rules: WriteRules
  readonly #readReceipts: boolean

  /** @param rules.readReceipts whether a sender may know how far a recipient has read */
  constructor(
    db: Knex,
    accounts: Accounts,
    rules: { readonly writeRules: WriteRules; readonly readReceipts: boolean },
  ) {
    this.#db = db
    this.#accounts = accounts
    this.#rules = rules.writeRules
    this.#readReceipts = rules.readReceipts
  }

  /** The other user of a conversation, also a disabled one or the system. @throws Refused `user_not_exist` */
  async partner(name: string): Promise<Account> {
    return existing(await this.#accounts.find(name), name)
  }

  /** The messages between two users. */
  between(userId: number, otherId: number): HistorySource {
    return async (part) => this.#toText(await conversation(this.#db, userId, otherId, part))
  }

  /** Private messages to a user: of everyone, the system included, or of one sender. */
  source(senderId?: number): Source {
    return {
      kinds: [MSG_TYPE.chat, MSG_TYPE.system],
      load: async (userId, query) => {
        const inbox = { ...query, ...(senderId !== undefined && { senderId }) }
        const { found, ...reach } = await messagesTo(this.#db, userId, inbox)
        return { ...reach, found: await this.#toText(found) }
      },
      unread: (userId) => unreadBySender(this.#db, userId),
      positions: (userId, after) => this.#positions(userId, after),
      place: async ({ user_id, target_id }) => {
        const byId = await this.#accounts.byIds([user_id, target_id])
        const names = { from: nameIn(byId, user_id), to: nameIn(byId, target_id), group: '' }
        return { conversation: privateWith(user_id), ...names, readers: new Set([user_id, target_id]) }
      },
      mayRead: (userId, { user_id, target_id }) => userId === user_id || userId === target_id,
      checkWriter: (session, { user_id, target_id }) =>
        this.#rules.check(session, user_id === session.user.id ? target_id : user_id),
      checkAgain: async ({ user_id, target_id }, audience) => {
        const byId = await this.#accounts.byIds([user_id, target_id])
        if (byId.get(user_id)?.active === false) throw new Refused('account_disabled')
        existing(byId.get(target_id)?.active ? byId.get(target_id) : undefined, audience.names.to)
        if (audience.sentOn !== undefined) await this.#rules.check(audience.sentOn, target_id)
        return audience
      },
      trails: async ({ id }, { with: name, group }) => {
        if (group !== '') return []
        if (name === '') return [this.#trail({ user_id: id }), this.#trail({ target_id: id })]
        const other = await this.partner(name)
        return [this.#trail({ user_id: id, target_id: other.id }), this.#trail({ user_id: other.id, target_id: id })]
      },
    }
  }

  async #positions(userId: number, after: number): Promise<Positions> {
    const rows = await positionsWith(this.#db, userId, after, POSITIONS_PER_READ)
    const byId = await this.#accounts.byIds(rows.map(({ other_id }) => other_id))
    const found = rows.map(({ other_id, own, theirs }) => ({
      with: nameIn(byId, other_id),
      group: '',
      own,
      other: this.#readReceipts ? theirs : 0,
    }))
    return { found, next: rows.length < POSITIONS_PER_READ ? undefined : rows.at(-1)?.other_id }
  }

  /** Messages from a user, to a user, or both. */
  #trail(ends: Parameters<typeof privateIds>[1]): Trail {
    return {
      ids: (before, limit) => privateIds(this.#db, ends, { before, limit }),
      toText: async (rows) => this.#toText(await withReadState(this.#db, rows)),
    }
  }

  async #toText(rows: readonly MessageRow[]): Promise<Deliverable[]> {
    const byId = await this.#accounts.byIds(rows.flatMap((row) => [row.user_id, row.target_id]))
    return rows.map((row) => {
      const names = { from: nameIn(byId, row.user_id), to: nameIn(byId, row.target_id), group: '' }
      const message = textForm(
        row.id,
        row,
        { ...names, unread: row.isRead === 1 },
        row.reply_to ?? 0,
        row.edited_at ?? 0,
        fileOf(row),
      )
      return { conversation: privateWith(row.user_id), message }
    })
  }
}

const nameIn = (accounts: ReadonlyMap<number, Account>, id: number) => accounts.get(id)?.name ?? `#${id}`
