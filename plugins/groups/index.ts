import {
  definePlugin,
  type InputOf,
  isLine,
  LoadCache,
  Refused,
  type ServerMessage,
  SessionEnded,
  SessionStarted,
  type User,
  type UserSession,
} from '../../core/index.ts'
import {
  countGroupUnread,
  dissolveGroup,
  enterGroup,
  groupHistory,
  groupMessageIds,
  groupMessagesTo,
  groupNameOf,
  groupsOf,
  groupsSeen,
  handOver,
  insertGroup,
  inviteToGroup,
  leaveGroup,
  type MessageRow,
  MSG_TYPE,
  renameGroup,
  setMemberRole,
} from '../../db/index.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { ConversationChanged } from '../messages/events.ts'
import { type Draft, newRow, privateMessages, toWire } from '../messages/index.ts'
import { ConversationRead } from '../messages/messages.ts'
import { historyPage, pageSize } from '../messages/page.ts'
import type { Trail } from '../messages/search.ts'
import { GroupChanged } from './events.ts'
import { GROUPS_KEPT, type Group, type GroupRole, loadGroup } from './group.ts'
import * as messages from './messages.ts'

const NAME_CHARACTERS = 30
/** Users whose groups are kept in memory. */
const USERS_KEPT = 20_000
const ROLES: readonly GroupRole[] = ['owner', 'admin', 'member']

const conversationOf = (groupId: number) => `group ${groupId}`

/** Groups: membership and roles, and messages that are one stored row with a read position a member. */
export const groups = definePlugin({
  name: 'groups',
  messages,
  needs: { accounts, messages: privateMessages },
  setup(app, { needs, db }) {
    const { office } = needs.messages
    /** By name. */
    const roster = new LoadCache<string, Group>(GROUPS_KEPT, (name) => loadGroup(db, name))

    /** Names of the groups of a user: asked for at each login and each end of a session. */
    const groupNames = new LoadCache<number, readonly string[]>(USERS_KEPT, async (userId) =>
      (await groupsSeen(db, userId)).map(({ name }) => name),
    )

    const existing = (group: Group | undefined, name: string): Group => {
      if (group !== undefined) return group
      throw new Refused('group_not_exist', `there is no group "${name}"`)
    }
    const named = async (name: string) => existing(await roster.get(name), name)

    const roleIn = (group: Group, userId: number): GroupRole => {
      const member = group.members.get(userId)
      if (member === undefined) throw new Refused('not_member')
      return member.role
    }

    const member = async (name: string, user: User, ...roles: GroupRole[]): Promise<Group> => {
      const group = await named(name)
      const role = roleIn(group, user.id)
      if (roles.length > 0 && !roles.includes(role)) throw new Refused('role_too_low')
      return group
    }

    const known = async (name: string): Promise<Account> => {
      const account = await needs.accounts.find(name)
      if (account?.active) return account
      throw new Refused('user_not_exist', `there is no user "${name}"`)
    }

    const tell = <M extends ServerMessage>(userIds: Iterable<number>, message: M, values: InputOf<M>) => {
      for (const id of userIds) for (const session of app.sessions.of(id)) session.send(message, values)
    }

    /** Members hear of a change, those before it and the one it is about. */
    const changed = (group: Group, user: string, what: string, value = '', alsoTo: number[] = []) => {
      roster.forget(group.name)
      const hearers = new Set([...group.members.keys(), ...alsoTo])
      groupNames.forget(...hearers)
      tell(hearers, messages.JoinLeaveChatroom, { group: group.name, user, what, value })
      app.emit(GroupChanged, { groupId: group.id, userIds: hearers })
    }

    const checkName = (wanted: string): string => {
      const name = wanted.normalize('NFC').trim()
      const length = [...name].length
      if (length > 0 && length <= NAME_CHARACTERS && isLine(name)) return name
      throw new Refused('invalid_name', `a group name is one line of 1 to ${NAME_CHARACTERS} characters`)
    }

    const refuseTooMany = async (userId: number) => {
      if ((await groupsOf(db, userId)).length >= app.limits.groupsPerUser)
        throw new Refused('too_many', 'you are in too many groups already')
    }

    app.handle(messages.CreateRoom, async ({ user }, { group: wanted, open, allHistory }) => {
      const name = checkName(wanted)
      await refuseTooMany(user.id)
      const id = await insertGroup(db, { name, ownerId: user.id, isOpen: open, allHistory, now: app.clock.time() })
      if (id === undefined) throw new Refused('group_exists')
      roster.forget(name)
      groupNames.forget(user.id)
      app.emit(GroupChanged, { groupId: id, userIds: [user.id] })
      return { id, group: name }
    })

    app.handle(messages.JoinRoom, async ({ user }, { group: name }) => {
      const group = await named(name)
      if (group.members.has(user.id)) throw new Refused('already_member')
      if (!group.isOpen && !group.invited.has(user.id)) throw new Refused('not_invited')
      if (group.members.size >= app.limits.groupMembers) throw new Refused('too_many', 'the group is full')
      await refuseTooMany(user.id)
      await enterGroup(db, group.id, user.id, app.clock.time())
      changed(group, user.name, 'joined', '', [user.id])
      await office.entered(user.id)
    })

    app.handle(messages.LeaveRoom, async ({ user }, { group: name }) => {
      const group = await named(name)
      if (roleIn(group, user.id) === 'owner') throw new Refused('owner_must_stay')
      if (!(await leaveGroup(db, group.id, user.id))) throw new Refused('owner_must_stay')
      changed(group, user.name, 'left')
      office.left(user.id, conversationOf(group.id))
    })

    app.handle(messages.QueryRoomUsers, async ({ user }, { group: name }) => {
      const group = await member(name, user)
      const byId = await needs.accounts.byIds(group.members.keys())
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

    app.handle(messages.InviteToRoom, async ({ user }, { group: name, user: guest }) => {
      const group = await member(name, user, 'owner', 'admin')
      const account = await known(guest)
      if (group.members.has(account.id)) throw new Refused('already_member')
      await inviteToGroup(db, group.id, account.id, app.clock.time())
      roster.forget(group.name)
      tell([account.id], messages.RoomInvitation, { group: group.name, by: user.name })
    })

    app.handle(messages.KickFromRoom, async ({ user }, { group: name, user: whom }) => {
      const group = await member(name, user, 'owner', 'admin')
      const account = await known(whom)
      const theirs = roleIn(group, account.id)
      const mayKick = account.id !== user.id && (roleIn(group, user.id) === 'owner' || theirs === 'member')
      if (!mayKick) throw new Refused('role_too_low')
      if (!(await leaveGroup(db, group.id, account.id))) throw new Refused('role_too_low')
      changed(group, account.name, 'kicked')
      office.left(account.id, conversationOf(group.id))
    })

    app.handle(messages.SetRoomRole, async ({ user }, { group: name, user: whom, role: wanted }) => {
      const role = ROLES.find((one) => one === wanted)
      if (role === undefined) throw new Refused('invalid_value', `role: one of ${ROLES.join(', ')}`)
      const group = await member(name, user, 'owner')
      const account = await known(whom)
      roleIn(group, account.id)
      if (account.id === user.id) throw new Refused('owner_must_stay')
      const done =
        role === 'owner'
          ? await handOver(db, group.id, user.id, account.id)
          : await setMemberRole(db, group.id, account.id, role)
      if (!done) throw new Refused('role_too_low')
      changed(group, account.name, 'role', role)
    })

    app.handle(messages.RenameRoom, async ({ user }, { group: name, name: wanted }) => {
      const group = await member(name, user, 'owner', 'admin')
      const renamed = checkName(wanted)
      if (!(await renameGroup(db, group.id, renamed))) throw new Refused('group_exists')
      roster.forget(renamed)
      changed(group, user.name, 'renamed', renamed)
    })

    app.handle(messages.DissolveRoom, async ({ user }, { group: name }) => {
      const group = await member(name, user, 'owner')
      await dissolveGroup(db, group.id)
      changed(group, user.name, 'dissolved')
      for (const id of group.members.keys()) office.left(id, conversationOf(group.id))
    })

    const post = ({ user }: UserSession, group: Group, draft: Draft & { readonly hops: number }) => {
      roleIn(group, user.id)
      const key = conversationOf(group.id)
      const hops = office.loops.hops({ key, group: group.name }, user, draft.hops)
      return office.post({
        row: newRow(user.id, group.id, MSG_TYPE.group, draft, { sentAt: app.clock.time(), hops }),
        conversation: key,
        toWire: (row) => toWire(row, user.name, { group: group.name }, true),
        recipients: group.memberIds,
        except: user.id,
      })
    }

    app.handle(
      messages.ChatroomMessage,
      (session, message) => {
        office.checkText(message.text)
        // Without waiting when the group is in memory, so that all messages of one turn reach one commit.
        const group = roster.get(message.group)
        return group instanceof Promise
          ? group.then((found) => post(session, existing(found, message.group), message))
          : post(session, existing(group, message.group), message)
      },
      { pipelined: true },
    )

    app.handle(
      messages.AcknowledgeRoom,
      async (session, { group: name, upTo }, { ref }) => {
        const { user } = session
        const group = await member(name, user)
        office.acknowledged(user.id, conversationOf(group.id), upTo)
        const read = { readerId: user.id, fromId: group.id, isGroup: true, upTo }
        await office.markRead(read, { isWaitedFor: ref !== 0 }, () => {
          app.emit(ConversationChanged, { groupId: group.id, userIds: [user.id] })
          office.tell(user.id, ConversationRead, { reader: user.name, from: '', group: group.name, upTo }, session)
        })
      },
      { rated: false },
    )

    const withNames = async (rows: readonly MessageRow[], groupName: (row: MessageRow) => string) => {
      const byId = await needs.accounts.byIds(rows.map((row) => row.user_id))
      return rows.map((row) => ({
        conversation: conversationOf(row.target_id),
        message: toWire(row, byId.get(row.user_id)?.name ?? `#${row.user_id}`, { group: groupName(row) }),
      }))
    }

    const trail = ({ id, name, since }: { id: number; name: string; since: number }): Trail => ({
      ids: (before, limit) => groupMessageIds(db, id, { before, limit, since }),
      named: (rows) => withNames(rows, () => name),
    })

    office.addSource({
      kinds: [MSG_TYPE.group],
      load: async (userId, query) => {
        const rows = await groupMessagesTo(db, userId, query)
        const names = new Map(rows.map((row) => [row.target_id, row.chatroom_name]))
        return withNames(rows, (row) => names.get(row.target_id) ?? '')
      },
      countUnread: (userId) => countGroupUnread(db, userId),
      place: async ({ user_id, target_id, seq }) => {
        const name = (await groupNameOf(db, target_id)) ?? ''
        // None for a dissolved group: only its sender still hears of the message.
        const members = (await roster.get(name))?.members ?? new Map<never, never>()
        const readers = [...members].filter(([, { joinedSeq }]) => joinedSeq < Number(seq)).map(([id]) => id)
        return { conversation: conversationOf(target_id), to: '', group: name, hearers: new Set([user_id, ...readers]) }
      },
      trails: async (user, { with: other, group: name }) => {
        if (other !== '') return []
        if (name === '') return (await groupsSeen(db, user.id)).map(trail)
        const group = await member(name, user)
        return [trail({ id: group.id, name: group.name, since: group.members.get(user.id)?.joinedSeq ?? 0 })]
      },
    })

    app.handle(
      messages.QueryRoomHistory,
      async ({ user }, { group: name, before, limit }) => {
        const group = await member(name, user)
        const size = pageSize(limit, app.limits.historyPage)
        const since = group.members.get(user.id)?.joinedSeq ?? 0
        const range = { before: before || Number.MAX_SAFE_INTEGER, limit: size + 1, since }
        return historyPage(await withNames(await groupHistory(db, group.id, range), () => group.name), size)
      },
      { serial: true },
    )

    /** Members of one's groups hear once, whatever number of groups they share: one push a group. */
    const tellMembers = ({ user }: UserSession, online: boolean) =>
      office.retries.until(async () => {
        const found: Group[] = []
        for (const name of (await groupNames.get(user.id)) ?? []) {
          const group = await roster.get(name)
          if (group !== undefined) found.push(group)
        }
        // After an outage of the database it may be otherwise by now, and has been told.
        if (app.sessions.of(user.id).size > 0 !== online) return
        for (const { name, members } of found) {
          const others = [...members.keys()].filter((id) => id !== user.id)
          tell(others, messages.RoomUserOnOffLine, { group: name, user: user.name, online })
        }
      })
    app.on(SessionStarted, (session) => app.sessions.of(session.user.id).size === 1 && tellMembers(session, true))
    app.on(SessionEnded, (session) => app.sessions.of(session.user.id).size === 0 && tellMembers(session, false))
  },
})
