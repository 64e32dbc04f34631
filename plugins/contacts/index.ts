import {
  definePlugin,
  SessionEnded,
  SessionStarted,
  toLine,
  type UserSession,
  type ValuesOf,
} from '../../core/index.ts'
import { groupStates, lastMessages, type MessageRow, unreadBySender } from '../../db/index.ts'
import { accounts } from '../accounts/index.ts'
import { FriendshipChanged } from '../friends/events.ts'
import { friends } from '../friends/index.ts'
import { GroupChanged } from '../groups/events.ts'
import { groups } from '../groups/index.ts'
import { ConversationChanged } from '../messages/events.ts'
import { privateMessages } from '../messages/index.ts'
import * as messages from './messages.ts'
import { type Dirty, Watchers } from './watchers.ts'

/** Contacts in one packet at most. */
const PAGE = messages.ContactInfo.fields.contacts.max
const PREVIEW_CHARACTERS = 80
/** Room for 80 characters of one code point each; emoji of many may be fewer. */
const PREVIEW_BYTES = 400

type Contact = ValuesOf<typeof messages.ContactChanged>['contacts'][number]

/** The contact list in one message, and its changes: friends and groups with unread counts, last message and presence. */
export const contacts = definePlugin({
  name: 'contacts',
  messages,
  needs: { accounts, messages: privateMessages, friends, groups },
  setup(app, { needs, db, log }) {
    /** The list, newest first; or only what it holds of some users and groups. */
    const load = async (userId: number, only?: Dirty): Promise<Contact[]> => {
      const { friends: known } = await needs.friends.circleOf(userId)
      await needs.messages.readsSettled()
      const unread = await unreadBySender(db, userId)
      const others = [...new Set([...known.keys(), ...unread.keys()])].filter((id) => only?.users.has(id) ?? true)
      const rooms = only?.groups.size === 0 ? [] : await groupStates(db, userId, only && [...only.groups])
      const last = await lastMessages(db, userId, others)
      const byId = await needs.accounts.byIds([
        ...others,
        userId,
        ...rooms.flatMap(({ last }) => (last ? [last.user_id] : [])),
      ])
      const people = others.flatMap((id) => {
        const account = byId.get(id)
        if (account === undefined) return []
        const friend = known.has(id)
        return {
          kind: 1,
          id,
          name: account.name,
          nickname: account.nickname,
          friend,
          // Who is no friend does not learn when someone is here.
          online: friend && app.sessions.of(id).size > 0,
          unread: unread.get(id) ?? 0,
          ...preview(last.get(id), byId),
        }
      })
      const groups = rooms.map((room) => ({
        kind: 4,
        id: room.id,
        name: room.name,
        nickname: '',
        friend: false,
        online: false,
        unread: room.unread,
        ...preview(room.last, byId),
      }))
      return [...people, ...groups].sort((a, b) => b.lastId - a.lastId || (a.name < b.name ? -1 : 1))
    }

    const tell = async (userId: number, sessions: Iterable<UserSession>, dirty: Dirty) => {
      const list = await load(userId, dirty)
      const left = new Set(list.map(({ kind, id }) => `${kind} ${id}`))
      const gone = [
        ...[...dirty.users].map((id) => ({ kind: 1, id })),
        ...[...dirty.groups].map((id) => ({ kind: 4, id })),
      ].filter(({ kind, id }) => !left.has(`${kind} ${id}`))
      for (const session of sessions) {
        for (let at = 0; at < list.length; at += PAGE)
          session.send(messages.ContactChanged, { contacts: list.slice(at, at + PAGE) })
        for (const contact of gone) session.send(messages.ContactGone, contact)
      }
    }
    const watchers = new Watchers(app.clock, tell, (error) =>
      log.warn({ err: error }, 'cannot tell of changed contacts'),
    )
    app.onStop(() => watchers.stop())

    app.handle(
      messages.QueryContacts,
      async (session, { skip, watch }) => {
        // Before it is read: what changes meanwhile is told afterwards.
        if (watch && session.open) watchers.add(session)
        const list = await load(session.user.id)
        return {
          more: list.length > skip + PAGE,
          unread: list.reduce((sum, { unread }) => sum + unread, 0),
          contacts: list.slice(skip, skip + PAGE),
        }
      },
      { serial: true },
    )

    const between = ([one, other]: readonly [number, number]) => {
      watchers.user(one, other)
      watchers.user(other, one)
    }
    app.on(ConversationChanged, (change) => {
      if ('between' in change) between(change.between)
      else watchers.group(change.userIds, change.groupId)
    })
    app.on(FriendshipChanged, (change) => between(change.between))
    app.on(GroupChanged, ({ groupId, userIds }) => watchers.group(userIds, groupId))
    const presence = ({ user }: UserSession) =>
      needs.messages.retry(async () => {
        for (const id of (await needs.friends.circleOf(user.id)).friends.keys()) watchers.user(id, user.id)
      })
    app.on(SessionStarted, presence)
    app.on(SessionEnded, (session) => {
      watchers.remove(session)
      return presence(session)
    })
  },
})

function preview(row: MessageRow | undefined, byId: ReadonlyMap<number, { readonly name: string }>) {
  if (row === undefined) return { lastId: 0, lastFrom: '', lastAt: 0, lastText: '' }
  return {
    lastId: row.id,
    lastFrom: byId.get(row.user_id)?.name ?? `#${row.user_id}`,
    lastAt: row.send_time,
    lastText: firstCharacters(row.msg),
  }
}

const characters = new Intl.Segmenter()

/** The first characters as people count them: an emoji of several code points is not cut in two. */
function firstCharacters(text: string): string {
  let start = ''
  let count = 0
  for (const { segment } of characters.segment(text)) {
    if (++count > PREVIEW_CHARACTERS || Buffer.byteLength(start + segment) > PREVIEW_BYTES) break
    start += segment
  }
  return toLine(start, PREVIEW_BYTES)
}
