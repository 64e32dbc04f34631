import { InOrder, Refused, type UserSession } from '../../core/index.ts'
import {
  countGroupUnread,
  groupHistory,
  groupMessageIds,
  groupMessagesTo,
  groupNameOf,
  groupsOf,
  groupsSeen,
  type MessageRow,
  MSG_TYPE,
  type SeenBy,
} from '../../db/index.ts'
import { ConversationChanged } from '../messages/events.ts'
import { type Draft, newRow, toWire } from '../messages/index.ts'
import { ConversationRead } from '../messages/messages.ts'
import { historyPage } from '../messages/page.ts'
import type { Trail } from '../messages/search.ts'
import { FAILURES } from './failures.ts'
import type { Group } from './group.ts'
import * as messages from './messages.ts'
import { conversationOf, type Room } from './room.ts'
import { roleIn } from './roster.ts'

/** What is said in groups: one stored row a message, a read position a member. */
export function handleConversation(room: Room) {
  handlePosts(room)
  handleReading(room)
  addSource(room)
}

function handlePosts({ app, roster, office }: Room) {
  const post = ({ user }: UserSession, group: Group, draft: Draft & { readonly hops: number }) => {
    const key = conversationOf(group.id)
    const hops = office.loops.hops({ key, group: group.name }, user, draft.hops)
    return office.post({
      row: newRow(user.id, group.id, MSG_TYPE.group, draft, { sentAt: app.clock.time(), hops }),
      conversation: key,
      toWire: (row) => toWire(row, user.name, { group: group.name }, true),
      // Those at the commit: the group is not changed before the message is stored.
      recipients: group.memberIds,
      except: user.id,
    })
  }

  /** Names that sessions have sent, in the order of their messages. */
  const names = new InOrder<UserSession>()

  app.handle(
    messages.ChatroomMessage,
    (session, message) => {
      office.checkText(message.text)
      const found = names.find(session, () => roster.named(message.group))
      const act = (group: Group) => post(session, group, message)
      // Without waiting when the group is in memory, so that all messages of one turn reach one commit.
      return found instanceof Promise
        ? found.then((group) => roster.asMember(group, session.user, act))
        : roster.asMember(found, session.user, act)
    },
    { pipelined: true },
  )

  app.handle(
    messages.AcknowledgeRoom,
    async (session, { group: name, upTo }, { ref }) => {
      const { user } = session
      const found = await names.find(session, () => {
        const group = roster.named(name)
        // A look-up costs what a request costs.
        if (group instanceof Promise) session.charge(1)
        return group
      })
      await roster.asMember(found, user, (group) => {
        office.acknowledged(user.id, conversationOf(group.id), upTo)
        const read = { readerId: user.id, fromId: group.id, isGroup: true, upTo }
        return office.markRead(read, { isWaitedFor: ref !== 0 }, () => {
          app.emit(ConversationChanged, { groupId: group.id, userIds: [user.id] })
          office.tell(user.id, ConversationRead, { reader: user.name, from: '', group: name, upTo }, session)
        })
      })
    },
    { rated: false },
  )
}

/** The user's own place in a group. @throws Refused `not_member` */
async function placeIn({ db, office }: Room, userId: number, groupId: number): Promise<SeenBy> {
  // What was acknowledged is unread no more.
  await office.writer.readsSettled()
  const [seen] = await groupsSeen(db, userId, groupId)
  if (seen === undefined) throw new Refused(FAILURES.not_member)
  return seen
}

/** Messages as they travel to one user. */
async function toUser(
  { accounts }: Room,
  userId: number,
  rows: readonly MessageRow[],
  groupOf: (row: MessageRow) => Named,
) {
  const byId = await accounts.byIds(rows.map((row) => row.user_id))
  return rows.map((row) => {
    const { name, read } = groupOf(row)
    const unread = row.user_id !== userId && Number(row.seq) > read
    const from = byId.get(row.user_id)?.name ?? `#${row.user_id}`
    return { conversation: conversationOf(row.target_id), message: toWire(row, from, { group: name }, unread) }
  })
}

interface Named {
  readonly name: string
  /** Messages above this place in the group's sequence are unread. */
  readonly read: number
}

function handleReading(room: Room) {
  const { app, db, accounts, roster, office } = room

  app.handle(messages.QueryRoomUsers, async ({ user }, { group: name }) => {
    const group = await roster.member(name, user)
    const byId = await accounts.byIds(group.memberIds)
    const list = [...byId.values()].map((account) => ({
      user: account.name,
      nickname: account.nickname,
      role: roleIn(group, account.id),
      online: app.sessions.of(account.id).size > 0,
    }))
    return { members: list.sort((a, b) => (a.user < b.user ? -1 : 1)) }
  })

  app.handle(
    messages.QueryRooms,
    async ({ user }) => ({
      groups: (await groupsOf(db, user.id)).map((row) => ({
        group: row.chatroom_name,
        role: row.role,
        members: row.members,
        open: Boolean(row.isOpen),
        unread: row.unread,
      })),
    }),
    { serial: true },
  )

  app.handle(
    messages.QueryRoomHistory,
    async ({ user }, { group: name, before, limit }) => {
      const group = await roster.member(name, user)
      const seen = await placeIn(room, user.id, group.id)
      const size = office.pageSize(limit)
      const range = { before: before || Number.MAX_SAFE_INTEGER, limit: size + 1, since: seen.since }
      const rows = await groupHistory(db, group.id, range)
      return historyPage(await toUser(room, user.id, rows, () => seen), size)
    },
    { serial: true },
  )
}

function addSource(room: Room) {
  const { db, roster, office } = room

  const trail = (userId: number, seen: SeenBy): Trail => ({
    ids: (before, limit) => groupMessageIds(db, seen.id, { before, limit, since: seen.since }),
    named: (rows) => toUser(room, userId, rows, () => seen),
  })

  office.addSource({
    kinds: [MSG_TYPE.group],
    load: async (userId, query) => {
      const rows = await groupMessagesTo(db, userId, query)
      const seen = new Map(rows.map((row) => [row.target_id, { name: row.chatroom_name, read: row.read_seq }]))
      return toUser(room, userId, rows, (row) => seen.get(row.target_id) as Named)
    },
    countUnread: (userId) => countGroupUnread(db, userId),
    place: async ({ user_id, target_id, seq }) => {
      const name = (await groupNameOf(db, target_id)) ?? ''
      const loaded = await roster.byId(target_id)
      const hearers = {
        *[Symbol.iterator]() {
          yield user_id
          // Those who may read it when they are told. None of a dissolved group: only the sender still hears of it.
          const { members } = roster.peek(target_id) ?? loaded ?? { members: new Map<never, never>() }
          for (const [id, { joinedSeq }] of members) if (id !== user_id && joinedSeq < Number(seq)) yield id
        },
      }
      return {
        conversation: conversationOf(target_id),
        to: '',
        // What it is called when they are told.
        get group() {
          return roster.peek(target_id)?.name ?? name
        },
        hearers,
      }
    },
    trails: async (user, { with: other, group: name }) => {
      if (other !== '') return []
      await office.writer.readsSettled()
      if (name === '') return (await groupsSeen(db, user.id)).map((seen) => trail(user.id, seen))
      const group = await roster.member(name, user)
      return [trail(user.id, await placeIn(room, user.id, group.id))]
    },
  })
}
