import { randomUUID } from 'node:crypto'
import { definePlugin, encode, Refused, SessionDrained, SessionEnded, type UserSession } from '../../core/index.ts'
import { conversation, countUnread, type MessageRow, MessageWriter, MSG_TYPE, messagesTo } from '../../db/index.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { type Deliverable, Delivery, type LoadUnread, type WireMessage } from './delivery.ts'
import * as messages from './messages.ts'
import { fitting, MAX_PAGE, pageSize } from './page.ts'

const { Acknowledge, OnNewMessage, QueryHistory, QueryInbox, Receive, SendMessage } = messages

/** Private messages: acknowledged after the commit, pushed until the recipient acknowledges, kept as history. */
export const privateMessages = definePlugin({
  name: 'messages',
  messages,
  needs: { accounts },
  setup(app, { needs, log, db }) {
    const writer = new MessageWriter(db)
    const deliveries = new Map<UserSession, Delivery>()
    app.onStop(() => writer.idle())

    const existing = (account: Account | undefined, name: string): Account => {
      if (account !== undefined) return account
      throw new Refused('user_not_exist', `there is no user "${name}"`)
    }

    const known = async (name: string) => existing(await needs.accounts.find(name), name)

    /** A disabled account takes no messages, and is not told apart from one that never was. */
    const recipient = (account: Account | undefined, name: string) =>
      existing(account?.active ? account : undefined, name)

    const deliveriesTo = (userId: number): Delivery[] =>
      [...app.sessions.of(userId)].flatMap((session) => deliveries.get(session) ?? [])

    const push = (deliverable: Deliverable, toId: number) => {
      const receiving = deliveriesTo(toId)
      if (receiving.length === 0) return
      const bytes = encode(OnNewMessage, 0, { messages: [deliverable.message] })
      for (const delivery of receiving) delivery.stored(deliverable, bytes)
    }

    /** Rows with the names of their ends. */
    const named = async (rows: readonly MessageRow[]): Promise<Deliverable[]> => {
      const byId = await needs.accounts.byIds(rows.flatMap((row) => [row.user_id, row.target_id]))
      const nameOf = (id: number) => byId.get(id)?.name ?? `#${id}`
      return rows.map((row) => ({
        senderId: row.user_id,
        message: toWire(row, nameOf(row.user_id), nameOf(row.target_id)),
      }))
    }

    /** A full disk or a lost database refuses messages; it is never acknowledged, and everything else goes on. */
    const commit: MessageWriter['store'] = async (row) => {
      try {
        return await writer.store(row)
      } catch (error) {
        log.error({ err: error }, 'cannot store a message')
        throw new Refused('unavailable', undefined, { retryAfter: 1000 })
      }
    }

    const store = async (
      { user }: UserSession,
      to: Account,
      message: { text: string; clientId: string; font: string; fontSize: number; color: string },
    ) => {
      const { row, repeat } = await commit({
        user_id: user.id,
        target_id: to.id,
        msg_type: MSG_TYPE.chat,
        msg: message.text,
        client_id: message.clientId || randomUUID(),
        send_time: Date.now(),
        font: message.font,
        font_size: message.fontSize,
        color: message.color,
      })
      if (!repeat) push({ senderId: user.id, message: toWire(row, user.name, to.name) }, to.id)
      else if (row.target_id !== to.id || row.msg !== message.text) throw new Refused('client_id_reused')
      return { id: row.id, sentAt: row.send_time, repeat }
    }

    const unreadOf =
      (userId: number, senderId: number | undefined): LoadUnread =>
      async (after, room) => {
        const limit = Math.min(room, MAX_PAGE)
        const filter = senderId === undefined ? {} : { senderId }
        const rows = await messagesTo(db, userId, { after, limit, unreadOnly: true, ...filter })
        const unread = await named(rows)
        const found = unread.slice(0, fitting(unread.map(({ message }) => message)))
        return { found, more: found.length < unread.length || rows.length === limit }
      }

    app.handle(SendMessage, (session, message) => {
      const size = Buffer.byteLength(message.text)
      if (size > app.limits.text)
        throw new Refused('too_large', `the text is ${size} bytes long, at most ${app.limits.text} are allowed`)
      const to = needs.accounts.find(message.to)
      // Without waiting when the recipient is in memory, so that all messages of one turn reach one commit.
      return to instanceof Promise
        ? to.then((account) => store(session, recipient(account, message.to), message))
        : store(session, recipient(to, message.to), message)
    })

    // Asked again, it starts over, perhaps with another filter.
    app.handle(Receive, async (session, { from }) => {
      const senderId = from === '' ? undefined : (await known(from)).id
      if (!session.open) throw new Refused('logged_out')
      deliveries.get(session)?.stop()
      const delivery = new Delivery(session, {
        load: unreadOf(session.user.id, senderId),
        window: app.limits.unacknowledged,
        senderId,
        onError: (error) => {
          log.error({ err: error, session: session.id }, 'cannot deliver from the database')
          session.close('unavailable')
        },
      })
      deliveries.set(session, delivery)
      const unread = await countUnread(db, session.user.id)
      // After the reply.
      setImmediate(() => delivery.catchUp())
      return { unread }
    })

    app.handle(
      Acknowledge,
      async (session, { from, upTo }) => {
        const sender = await known(from)
        await writer.markRead({ readerId: session.user.id, senderId: sender.id, upTo })
        for (const delivery of deliveriesTo(session.user.id)) delivery.acknowledged(sender.id, upTo)
      },
      { rated: false },
    )

    app.handle(QueryInbox, async (session, { after, limit, all }) => {
      const size = pageSize(limit, app.limits.historyPage)
      const rows = await messagesTo(db, session.user.id, { after, limit: size + 1, unreadOnly: !all })
      const found = (await named(rows.slice(0, size))).map(({ message }) => message)
      const page = found.slice(0, fitting(found))
      return { more: rows.length > page.length, messages: page }
    })

    app.handle(QueryHistory, async (session, { with: other, before, limit }) => {
      const size = pageSize(limit, app.limits.historyPage)
      const account = await known(other)
      const range = { before: before || Number.MAX_SAFE_INTEGER, limit: size + 1 }
      const rows = await conversation(db, session.user.id, account.id, range)
      const newestFirst = (await named(rows.slice(-size))).map(({ message }) => message).reverse()
      const page = newestFirst.slice(0, fitting(newestFirst)).reverse()
      return { more: rows.length > page.length, messages: page }
    })

    app.on(SessionDrained, (session) => deliveries.get(session)?.catchUp())
    app.on(SessionEnded, (session) => deliveries.delete(session))
  },
})

function toWire(row: MessageRow, from: string, to: string): WireMessage {
  return {
    id: row.id,
    kind: row.msg_type,
    from,
    to,
    text: row.msg,
    sentAt: row.send_time,
    unread: row.isRead === 1,
    font: row.font,
    fontSize: row.font_size,
    color: row.color,
    group: '',
  }
}
