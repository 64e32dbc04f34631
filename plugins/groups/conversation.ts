import { InOrder, Refused, type UserSession, type ValuesOf } from '../../core/index.ts'
import {
  type FileFacts,
  fileOf,
  groupHistory,
  groupMessageIds,
  groupMessagesTo,
  groupNameOf,
  groupPositions,
  groupsOf,
  groupsSeen,
  type MessageRow,
  MSG_TYPE,
  NO_FILE,
  type SeenBy,
  textForm,
  unreadByGroup,
} from '../../db/index.ts'
import { Attachments } from '../messages/attachments.ts'
import { type HistorySource, historyPage } from '../messages/page.ts'
import { Replies } from '../messages/replies.ts'
import type { Trail } from '../messages/search.ts'
import { chargeCount } from '../messages/unread.ts'
import { FAILURES } from './failures.ts'
import type { Group } from './group.ts'
import * as messages from './messages.ts'
import { conversationOf, type Parts } from './parts.ts'
import { roleIn } from './roster.ts'

type Message = ValuesOf<typeof messages.ChatroomMessage>

/** Messages in groups: one stored row per message, one read position per member. */
export function handleConversation(parts: Parts) {
  handlePosts(parts)
  handleReading(parts)
  addSource(parts)
}

function handlePosts({ app, db, roster, conversations }: Parts) {
  const post = (session: UserSession, group: Group, message: Message, file: FileFacts, checkedUpTo: number) => {
    const { user } = session
    const conversation = conversationOf(group.id)
    return conversations.post(
      {
        senderId: user.id,
        kind: MSG_TYPE.group,
        content: message,
        replyTo: message.replyTo,
        file,
        clientId: message.clientId,
        hops: conversations.hops({ key: conversation, group: group.name }, user, message.hops),
        checkedUpTo,
      },
      {
        conversation,
        targetId: group.id,
        names: { from: user.name, to: '', group: group.name, unread: true },
        // The members at the commit: the group is not changed before the message is stored.
        recipients: group.memberIds,
        except: user.id,
        sentOn: session,
      },
    )
  }

  /** Look-ups of names that a session has sent, in the order of its messages. */
  const names = new InOrder<UserSession>()
  const replies = new Replies({ db, conversations })
  const attachments = new Attachments({ db, conversations })

  /**
   * Posts a reply, or a message with a file, in the order of the look-ups. Membership is checked first: the other refusals
   * tell that a group exists.
   */
  const postWithReferences = async (session: UserSession, message: Message) => {
    const { replyTo, clientId } = message
    const { checkedUpTo } = conversations
    const find = async () => {
      const group = await roster.member(message.group, session.user)
      if (replyTo !== 0) await replies.check(session, { targetId: group.id, isGroup: true, replyTo, clientId })
      return { group, attached: await attachments.take(session, message) }
    }
    const { group, attached } = await names.find(session, find)
    const { text, file, release } = attached
    const act = (current: Group) => post(session, current, { ...message, text }, file, checkedUpTo)
    try {
      return await roster.asMember(group, session.user, act)
    } finally {
      release()
    }
  }

  app.handle(
    messages.ChatroomMessage,
    (session, message) => {
      conversations.checkContent(message)
      if (message.replyTo !== 0 || message.file !== 0) return postWithReferences(session, message)
      const { checkedUpTo } = conversations
      const found = names.find(session, () => roster.named(message.group))
      const act = (group: Group) => post(session, group, message, NO_FILE, checkedUpTo)
      // Synchronous if the group is cached, so that all messages of one turn reach one commit.
      return found instanceof Promise
        ? found.then((group) => roster.asMember(group, session.user, act))
        : roster.asMember(found, session.user, act)
    },
    { pipelined: true },
  )

  app.handle(
    messages.AcknowledgeRoom,
    (session, { group: name, upTo }, { ref }) => {
      const { user } = session
      const found = names.find(session, () => {
        const group = roster.named(name)
        // A signal that reads the database costs as much as a request. One to a group of strangers costs as much as one to
        // a group that does not exist: the rate must not tell them apart.
        if (group instanceof Promise || !group.members.has(user.id)) session.charge(1)
        return group
      })
      const act = (group: Group) =>
        conversations.acknowledge(session, {
          conversation: conversationOf(group.id),
          fromId: group.id,
          isGroup: true,
          from: '',
          group: name,
          upTo,
          isWaitedFor: ref !== 0,
        })
      // Without a promise of its own if the group is cached: each member acknowledges each message.
      return found instanceof Promise
        ? found.then((group) => roster.asMember(group, user, act))
        : roster.asMember(found, user, act)
    },
    { rated: false },
  )
}

/** The positions of a user in a group. @throws Refused `not_member` */
async function placeIn({ db, conversations }: Parts, userId: number, groupId: number): Promise<SeenBy> {
  // Acknowledged messages must not count as unread.
  await conversations.readsSettled()
  const [seen] = await groupsSeen(db, userId, [groupId])
  if (seen === undefined) throw new Refused(FAILURES.not_member)
  return seen
}

/** The text form of messages for one user. */
async function toUser(
  { accounts }: Parts,
  userId: number,
  rows: readonly MessageRow[],
  groupOf: (row: MessageRow) => Named,
) {
  const byId = await accounts.byIds(rows.map((row) => row.user_id))
  return rows.map((row) => {
    const { name, read } = groupOf(row)
    const unread = row.user_id !== userId && Number(row.seq) > read
    const from = byId.get(row.user_id)?.name ?? `#${row.user_id}`
    return {
      conversation: conversationOf(row.target_id),
      message: textForm(
        row.id,
        row,
        { from, to: '', group: name, unread },
        row.reply_to ?? 0,
        row.edited_at ?? 0,
        fileOf(row),
      ),
    }
  })
}

interface Named {
  readonly name: string
  /** Messages above this place in the group's sequence are unread. */
  readonly read: number
}

function handleReading(parts: Parts) {
  const { app, db, accounts, roster, conversations } = parts

  app.handle(messages.QueryRoomUsers, async ({ user }, { group: name }) => {
    const group = await roster.member(name, user)
    const byId = await accounts.byIds(group.memberIds)
    const list = [...byId.values()].map((account) => ({
      user: account.name,
      nickname: account.nickname,
      role: roleIn(group, account.id),
      online: app.presence.isOnline(account.id),
    }))
    return { members: list.sort((a, b) => (a.user < b.user ? -1 : 1)) }
  })

  app.handle(
    messages.QueryRooms,
    async (session) => {
      const groups = await groupsOf(db, session.user.id)
      const { counts, scanned } = await unreadByGroup(db, session.user.id)
      chargeCount(session, scanned)
      return {
        groups: groups.map((row) => ({
          group: row.chatroom_name,
          role: row.role,
          members: row.members,
          open: Boolean(row.isOpen),
          unread: counts.get(row.id) ?? 0,
        })),
      }
    },
    { serial: true },
  )

  app.handle(
    messages.QueryRoomHistory,
    async ({ user }, { group: name, limit, ...where }) => {
      const { id } = await roster.member(name, user)
      const seen = await placeIn(parts, user.id, id)
      const read: HistorySource = async (part) =>
        toUser(parts, user.id, await groupHistory(db, id, seen.since, part), () => seen)
      return historyPage(read, where, conversations.pageSize(limit))
    },
    { serial: true },
  )
}

function addSource(parts: Parts) {
  const { db, accounts, roster, conversations } = parts

  const trail = (userId: number, seen: SeenBy): Trail => ({
    ids: (before, limit) => groupMessageIds(db, seen.id, seen.since, { before, limit }),
    toText: (rows) => toUser(parts, userId, rows, () => seen),
  })

  conversations.addSource({
    kinds: [MSG_TYPE.group],
    load: async (userId, query) => {
      const { found: rows, ...reach } = await groupMessagesTo(db, userId, query)
      const seen = new Map(rows.map((row) => [row.target_id, { name: row.chatroom_name, read: row.read_seq }]))
      return { ...reach, found: await toUser(parts, userId, rows, (row) => seen.get(row.target_id) as Named) }
    },
    unread: (userId) => unreadByGroup(db, userId),
    positions: async (userId) => {
      const found = await groupPositions(db, userId)
      return { found: found.map(({ name, read_id }) => ({ with: '', group: name, own: read_id, other: 0 })) }
    },
    place: async ({ user_id, target_id, seq }) => {
      const loaded = await roster.byId(target_id)
      const name = loaded?.name ?? (await groupNameOf(db, target_id)) ?? ''
      const sender = (await accounts.byIds([user_id])).get(user_id)
      const readers = {
        *[Symbol.iterator]() {
          yield user_id
          // The members at the time of the notice. A dissolved group has none: only the sender is notified.
          const { members } = roster.peek(target_id) ?? loaded ?? { members: new Map<never, never>() }
          for (const [id, { joinedSeq }] of members) if (id !== user_id && joinedSeq < Number(seq)) yield id
        },
      }
      return {
        conversation: conversationOf(target_id),
        from: sender?.name ?? `#${user_id}`,
        to: '',
        // The name at the time of the notice.
        get group() {
          return roster.peek(target_id)?.name ?? name
        },
        readers,
      }
    },
    mayRead: async (userId, { target_id, seq }) => {
      const member = (await roster.byId(target_id))?.members.get(userId)
      return member !== undefined && member.joinedSeq < Number(seq)
    },
    checkWriter: async ({ user }, { target_id }) => {
      const group = await roster.byId(target_id)
      if (!group?.members.has(user.id)) throw new Refused(FAILURES.not_member)
    },
    checkAgain: async ({ user_id, target_id }, audience) => {
      const sender = (await accounts.byIds([user_id])).get(user_id)
      if (sender?.active === false) throw new Refused('account_disabled')
      const group = await roster.byId(target_id)
      if (!group?.members.has(user_id)) throw new Refused(FAILURES.not_member)
      return { ...audience, names: { ...audience.names, group: group.name }, recipients: group.memberIds }
    },
    trails: async (user, { with: other, group: name }) => {
      if (other !== '') return []
      await conversations.readsSettled()
      if (name === '') return (await groupsSeen(db, user.id)).map((seen) => trail(user.id, seen))
      const group = await roster.member(name, user)
      return [trail(user.id, await placeIn(parts, user.id, group.id))]
    },
  })
}
