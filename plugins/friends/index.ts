import { z } from 'zod'
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
  befriend,
  block,
  blockedBy,
  closeRequests,
  countRequestsOf,
  findRequest,
  friendsOf,
  insertRequest,
  requestsOf,
  unblock,
  unfriend,
} from '../../db/index.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { privateMessages } from '../messages/index.ts'
import { Receive, SendMessage } from '../messages/messages.ts'
import { CIRCLES_KEPT, type Circle, NOBODY } from './circle.ts'
import { FriendshipChanged } from './events.ts'
import * as messages from './messages.ts'

const {
  AddFriend,
  AddFriendRequest,
  AddFriendResult,
  BlockUser,
  ConfirmFriendRequest,
  DeleteFriend,
  FriendDeleted,
  FriendList,
  FriendOnOffLine,
  QueryBlockedUsers,
  QueryFriendRequests,
  UnblockUser,
} = messages

/** Requests told at once; who has more answers these first. */
const MAX_REQUESTS = 1000

/** Friendships, requests for them, blocks, and who of one's friends is here. */
export const friends = definePlugin({
  name: 'friends',
  messages,
  needs: { accounts, messages: privateMessages },
  options: z.strictObject({
    /** Whose private messages a user gets. Bots, admins and operators may write to anyone, and anyone to a bot. */
    messagesFrom: z.enum(['anyone', 'friends']).default('friends'),
  }),
  setup(app, { options, needs, db }) {
    const { retries } = needs.messages.office
    const circles = new LoadCache<number, Circle>(CIRCLES_KEPT, async (userId) => ({
      friends: new Map((await friendsOf(db, userId)).map((row) => [row.friend_id, row.add_time])),
      blocked: new Set(await blockedBy(db, userId)),
    }))
    const circleOf = async (userId: number): Promise<Circle> => (await circles.get(userId)) ?? NOBODY

    const known = async (name: string): Promise<Account> => {
      const account = await needs.accounts.find(name)
      if (account?.active) return account
      throw new Refused('user_not_exist', `there is no user "${name}"`)
    }

    const tell = <M extends ServerMessage>(userId: number, message: M, values: InputOf<M>) => {
      for (const session of app.sessions.of(userId)) session.send(message, values)
    }

    const isOnline = (userId: number) => app.sessions.of(userId).size > 0

    const refuseTooMany = ({ friends }: Circle, text = 'you have too many friends already') => {
      if (friends.size >= app.limits.friends) throw new Refused('too_many', text)
    }

    /** Both became friends: each hears of the other. */
    const joined = (one: User, other: User) => {
      circles.forget(one.id, other.id)
      tell(one.id, AddFriendResult, { user: other.name, nickname: other.nickname, accepted: true })
      tell(other.id, AddFriendResult, { user: one.name, nickname: one.nickname, accepted: true })
      app.emit(FriendshipChanged, { between: [one.id, other.id] })
    }

    app.handle(AddFriend, async ({ user }, { user: name, note }) => {
      const other = await known(name)
      if (other.id === user.id) throw new Refused('yourself')
      const [mine, theirs] = await Promise.all([circleOf(user.id), circleOf(other.id)])
      if (mine.friends.has(other.id)) throw new Refused('already_friends')
      if (theirs.blocked.has(user.id)) throw new Refused('blocked')
      if (mine.blocked.has(other.id)) throw new Refused('blocked', 'you have blocked this user; unblock first')
      if (await findRequest(db, user.id, other.id)) throw new Refused('already_requested')
      refuseTooMany(mine)
      if (await findRequest(db, other.id, user.id)) {
        if (!(await befriend(db, user.id, other.id, app.clock.time()))) throw new Refused('blocked')
        joined(user, other)
        return
      }
      if ((await countRequestsOf(db, user.id)) >= app.limits.friendRequests) throw new Refused('too_many')
      const sentAt = app.clock.time()
      await insertRequest(db, user.id, other.id, note, sentAt)
      tell(other.id, AddFriendRequest, { user: user.name, nickname: user.nickname, note, sentAt })
    })

    app.handle(ConfirmFriendRequest, async ({ user }, { user: name, accept }) => {
      const other = await known(name)
      if ((await findRequest(db, other.id, user.id)) === undefined) throw new Refused('no_request')
      if (accept) {
        refuseTooMany(await circleOf(user.id))
        refuseTooMany(await circleOf(other.id), 'that user has too many friends already')
        if (!(await befriend(db, user.id, other.id, app.clock.time()))) throw new Refused('blocked')
        joined(user, other)
        return
      }
      await closeRequests(db, user.id, other.id)
      tell(other.id, AddFriendResult, { user: user.name, nickname: user.nickname, accepted: false })
      tell(user.id, AddFriendResult, { user: other.name, nickname: other.nickname, accepted: false })
    })

    app.handle(DeleteFriend, async ({ user }, { user: name }) => {
      // A disabled friend can still be deleted.
      const other = await needs.accounts.find(name)
      if (other === undefined) throw new Refused('user_not_exist', `there is no user "${name}"`)
      if (!(await circleOf(user.id)).friends.has(other.id)) throw new Refused('not_friends')
      await unfriend(db, user.id, other.id)
      parted(user, other)
    })

    const parted = (one: User, other: User) => {
      circles.forget(one.id, other.id)
      tell(one.id, FriendDeleted, { user: other.name })
      tell(other.id, FriendDeleted, { user: one.name })
      app.emit(FriendshipChanged, { between: [one.id, other.id] })
    }

    app.handle(BlockUser, async ({ user }, { user: name }) => {
      const other = await known(name)
      if (other.id === user.id) throw new Refused('yourself')
      const { friends } = await circleOf(user.id)
      await block(db, user.id, other.id, app.clock.time())
      circles.forget(user.id, other.id)
      // Who was no friend learns nothing of it.
      if (friends.has(other.id)) parted(user, other)
    })

    app.handle(UnblockUser, async ({ user }, { user: name }) => {
      const other = await needs.accounts.find(name)
      if (other === undefined) throw new Refused('user_not_exist', `there is no user "${name}"`)
      if (!(await unblock(db, user.id, other.id))) throw new Refused('not_blocked')
      circles.forget(user.id)
    })

    app.handle(
      FriendList,
      async ({ user }) => {
        const { friends } = await circleOf(user.id)
        const byId = await needs.accounts.byIds(friends.keys())
        const list = [...byId.values()].map(({ id, name, nickname }) => ({
          user: name,
          nickname,
          online: isOnline(id),
          since: friends.get(id) ?? 0,
        }))
        return { friends: list.sort((a, b) => (a.user < b.user ? -1 : 1)) }
      },
      { serial: true },
    )

    const requestsFor = async (user: User) => {
      const rows = await requestsOf(db, user.id, MAX_REQUESTS)
      const byId = await needs.accounts.byIds(rows.flatMap((row) => [row.user_id, row.target_id]))
      return rows.flatMap((row) => {
        const incoming = row.target_id === user.id
        const other = byId.get(incoming ? row.user_id : row.target_id)
        // An adopted database may hold any text here.
        const note = isLine(row.msg) ? row.msg : ''
        return other ? [{ user: other.name, nickname: other.nickname, incoming, note, sentAt: row.send_time }] : []
      })
    }

    app.handle(QueryFriendRequests, async ({ user }) => ({ requests: await requestsFor(user) }), { serial: true })

    app.handle(
      QueryBlockedUsers,
      async ({ user }) => {
        const { blocked } = await circleOf(user.id)
        const byId = await needs.accounts.byIds(blocked)
        return { users: [...byId.values()].map(({ id, name }) => ({ id, user: name })) }
      },
      { serial: true },
    )

    // Requests that came while the user was away.
    app.on(Receive, (session) =>
      retries.until(async () => {
        for (const { incoming, ...request } of await requestsFor(session.user))
          if (incoming) session.send(AddFriendRequest, request)
      }),
    )

    const mayWrite = (sender: User, recipient: Account, { friends, blocked }: Circle) => {
      if (blocked.has(sender.id)) throw new Refused('blocked')
      const mustBeFriend =
        options.messagesFrom === 'friends' &&
        sender.role === 'user' &&
        recipient.role !== 'bot' &&
        sender.id !== recipient.id
      if (mustBeFriend && !friends.has(sender.id))
        throw new Refused('not_friends', 'only friends may write to this user')
    }

    app.before(SendMessage, ({ user, isOperator }, { to }) => {
      if (isOperator) return
      const recipient = needs.accounts.find(to)
      // The handler says what is wrong with a recipient that there is not.
      const check = (account: Account | undefined) => {
        if (account === undefined) return
        const circle = circles.get(account.id)
        return circle instanceof Promise
          ? circle.then((loaded) => mayWrite(user, account, loaded ?? NOBODY))
          : mayWrite(user, account, circle ?? NOBODY)
      }
      return recipient instanceof Promise ? recipient.then(check) : check(recipient)
    })

    const tellFriends = ({ user }: UserSession, online: boolean) =>
      retries.until(async () => {
        const { friends } = await circleOf(user.id)
        // After an outage of the database it may be otherwise by now, and has been told.
        if (isOnline(user.id) !== online) return
        for (const id of friends.keys()) tell(id, FriendOnOffLine, { user: user.name, online })
      })
    app.on(SessionStarted, (session) => app.sessions.of(session.user.id).size === 1 && tellFriends(session, true))
    app.on(SessionEnded, (session) => !isOnline(session.user.id) && tellFriends(session, false))

    return { circleOf }
  },
})
