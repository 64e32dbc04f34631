import { z } from 'zod'
import { definePlugin, InOrder, newClientId, Refused, type User, type UserSession } from '../../core/index.ts'
import {
  conversation,
  countUnread,
  deleteMessage,
  findMessage,
  isUnavailable,
  type MessageRow,
  MessageWriter,
  MSG_TYPE,
  messagesTo,
  type NewMessageRow,
  privateIds,
  withReadState,
} from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { type Account, accounts } from '../accounts/index.ts'
import type { Deliverable, WireMessage } from './deliverable.ts'
import { ConversationChanged } from './events.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { historyPage } from './page.ts'
import { PostOffice } from './post-office.ts'
import { search, type Trail } from './search.ts'
import type { Source } from './source.ts'

const { Acknowledge, ConversationRead, QueryHistory, QueryInbox, RecallMessage, Receive, SearchMessages, SendMessage } =
  messages

/** What its sender may take back; other kinds are the server's own words. */
const RECALLABLE: readonly number[] = [MSG_TYPE.chat, MSG_TYPE.group]

/** The key of what one user, or the system, writes to another. */
export const privateWith = (senderId: number) => `user ${senderId}`

/** Private messages: acknowledged after the commit, pushed until the recipient acknowledges, kept as history. */
export const privateMessages = definePlugin({
  name: 'messages',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts },
  options: z.strictObject({
    /** Whether the sender of a private message is told when it was read. The reader's other sessions always are. */
    readReceipts: z.boolean().default(true),
  }),
  async setup(app, { options, needs, limits, log, db }) {
    /** Names that sessions have sent, in the order of their messages. */
    const names = new InOrder<UserSession>()
    const office = new PostOffice(
      app,
      limits,
      await MessageWriter.open(db, (error) => log.warn({ err: error }, 'cannot mark messages as read')),
      log,
    )

    /** Looks a name up for a signal: what has to be read from the database costs what a request costs. */
    const found = (session: UserSession, name: string) => {
      const account = needs.accounts.find(name)
      if (account instanceof Promise) session.charge(1)
      return account
    }

    const existing = (account: Account | undefined, name: string): Account => {
      if (account !== undefined) return account
      throw new Refused(ACCOUNT_FAILURES.user_not_exist, `there is no user "${name}"`)
    }

    const known = async (name: string) => existing(await needs.accounts.find(name), name)

    /** A disabled account takes no messages, and is not told apart from one that never was. */
    const recipient = (account: Account | undefined, name: string) =>
      existing(account?.active ? account : undefined, name)

    /** Rows with the names of their ends. */
    const named = async (rows: readonly MessageRow[]): Promise<Deliverable[]> => {
      const byId = await needs.accounts.byIds(rows.flatMap((row) => [row.user_id, row.target_id]))
      const nameOf = (id: number) => byId.get(id)?.name ?? `#${id}`
      return rows.map((row) => ({
        conversation: privateWith(row.user_id),
        message: toWire(row, nameOf(row.user_id), { to: nameOf(row.target_id) }),
      }))
    }

    /** Private messages from or to somebody, or both. */
    const trail = (ends: Parameters<typeof privateIds>[1]): Trail => ({
      ids: (before, limit) => privateIds(db, ends, { before, limit }),
      named: async (rows) => named(await withReadState(db, rows)),
    })

    /** Private messages to a user, of everyone, the system included, or of one. */
    const source = (senderId?: number): Source => ({
      kinds: [MSG_TYPE.chat, MSG_TYPE.system],
      load: async (userId, query) =>
        named(await messagesTo(db, userId, { ...query, ...(senderId !== undefined && { senderId }) })),
      countUnread: (userId) => countUnread(db, userId),
      place: async ({ user_id, target_id }) => {
        const to = (await needs.accounts.byIds([target_id])).get(target_id)?.name ?? `#${target_id}`
        return { conversation: privateWith(user_id), to, group: '', hearers: new Set([user_id, target_id]) }
      },
      trails: async ({ id }, { with: name, group }) => {
        if (group !== '') return []
        if (name === '') return [trail({ user_id: id }), trail({ target_id: id })]
        const other = await known(name)
        return [trail({ user_id: id, target_id: other.id }), trail({ user_id: other.id, target_id: id })]
      },
    })
    office.addSource(source())

    const store = ({ user }: UserSession, to: Account, draft: Draft & { readonly hops: number }) =>
      office.post({
        row: newRow(user.id, to.id, MSG_TYPE.chat, draft, {
          sentAt: app.clock.time(),
          hops: office.loops.hops(between(user, to), user, draft.hops),
        }),
        conversation: privateWith(user.id),
        toWire: (row) => toWire(row, user.name, { to: to.name }),
        recipients: [to.id],
      })

    app.handle(
      SendMessage,
      (session, message) => {
        office.checkText(message.text)
        const to = names.find(session, () => needs.accounts.find(message.to))
        // Without waiting when the recipient is in memory, so that all messages of one turn reach one commit.
        return to instanceof Promise
          ? to.then((account) => store(session, recipient(account, message.to), message))
          : store(session, recipient(to, message.to), message)
      },
      { pipelined: true },
    )

    // Asked again, it starts over, perhaps with another filter.
    app.handle(
      Receive,
      async (session, { from, kind, after }) => {
        if (from !== '') {
          const { id } = await known(from)
          const wants = ({ conversation }: Deliverable) => conversation === privateWith(id)
          return office.receive(session, { sources: [source(id)], after, wants })
        }
        if (kind === 0) return office.receive(session, { after })
        const wants = ({ message }: Deliverable) => message.kind === kind
        return office.receive(session, { sources: office.sourcesOf(kind), kind, after, wants })
      },
      { serial: true },
    )

    app.handle(
      Acknowledge,
      async (session, { from, upTo }, { ref }) => {
        const { user } = session
        const sender = existing(await names.find(session, () => found(session, from)), from)
        // The client has them: there is room for more, whatever becomes of the commit.
        office.acknowledged(user.id, privateWith(sender.id), upTo)
        const read = { readerId: user.id, fromId: sender.id, isGroup: false, upTo }
        // Saying it again tells nobody anything.
        await office.markRead(read, { isWaitedFor: ref !== 0 }, () => {
          app.emit(ConversationChanged, { between: [user.id, sender.id] })
          const notice = { reader: user.name, from: sender.name, group: '', upTo }
          office.tell(user.id, ConversationRead, notice, session)
          if (options.readReceipts && sender.id !== user.id) office.tell(sender.id, ConversationRead, notice)
        })
      },
      { rated: false },
    )

    app.handle(RecallMessage, async (session, { id }) => {
      const row = await findMessage(db, id)
      if (row === undefined || row.user_id !== session.user.id || !RECALLABLE.includes(row.msg_type))
        throw new Refused(FAILURES.no_message)
      const [source] = office.sourcesOf(row.msg_type)
      // Before anything changes: a message that nobody could be told of stays.
      const place = await source?.place(row)
      if (place === undefined) throw new Refused(FAILURES.no_message)
      try {
        // Of two that ask at once, one is told no.
        if (!(await deleteMessage(db, id))) throw new Refused(FAILURES.no_message)
      } catch (error) {
        // It may be deleted all the same: then it is told as soon as that is known.
        if (isUnavailable(error))
          void office.retries.until(async () => {
            if ((await findMessage(db, id)) === undefined) office.recalled(row, place, session)
          })
        throw error
      }
      office.recalled(row, place, session)
    })

    app.handle(
      QueryInbox,
      async ({ user }, { after, limit, all }) => {
        const size = office.pageSize(limit)
        const { found, more } = await office.page(user.id, { after, limit: size, unreadOnly: !all })
        return { more, messages: found.map(({ message }) => message) }
      },
      { serial: true },
    )

    app.handle(
      QueryHistory,
      async ({ user }, { with: other, before, limit }) => {
        const account = await known(other)
        const size = office.pageSize(limit)
        const range = { before: before || Number.MAX_SAFE_INTEGER, limit: size + 1 }
        return historyPage(await named(await conversation(db, user.id, account.id, range)), size)
      },
      { serial: true },
    )

    app.handle(
      SearchMessages,
      async (session, { text, before, limit, ...where }) => {
        if (where.with !== '' && where.group !== '') throw new Refused('invalid_value', 'with or group, not both')
        return search(db, await office.trails(session.user, where), {
          text,
          before: before || Number.MAX_SAFE_INTEGER,
          limit: office.pageSize(limit),
          bound: limits.searchRows,
          charge: (tokens) => session.charge(tokens),
        })
      },
      { serial: true },
    )

    return { office }
  },
})

/** The private conversation of two users, whoever speaks. */
const between = ({ id: one }: User, { id: other }: User) => ({
  key: `users ${Math.min(one, other)} ${Math.max(one, other)}`,
  group: '',
})

/** What a sender gives of a message, of whatever kind. */
export interface Draft {
  readonly text: string
  /** Empty where the sender has none. */
  readonly clientId: string
  readonly font: string
  readonly fontSize: number
  readonly color: string
}

/** A message as it goes to the writer. */
export function newRow(
  senderId: number,
  targetId: number,
  kind: number,
  draft: Draft,
  { sentAt, hops = 0 }: { readonly sentAt: number; readonly hops?: number },
): NewMessageRow {
  return {
    user_id: senderId,
    target_id: targetId,
    msg_type: kind,
    msg: draft.text,
    client_id: draft.clientId || newClientId(),
    send_time: sentAt,
    font: draft.font,
    font_size: draft.fontSize,
    color: draft.color,
    hops,
  }
}

/** A stored message as it travels. */
export function toWire(
  row: MessageRow,
  from: string,
  place: { readonly to?: string; readonly group?: string },
  unread = row.isRead === 1,
): WireMessage {
  return {
    id: row.id,
    kind: row.msg_type,
    from,
    to: place.to ?? '',
    text: row.msg,
    sentAt: row.send_time,
    unread,
    font: row.font,
    fontSize: row.font_size,
    color: row.color,
    group: place.group ?? '',
    hops: row.hops,
  }
}
