import { z } from 'zod'
import {
  definePlugin,
  isLine,
  PresenceThrottle,
  Refused,
  type User,
  UserOffline,
  UserOnline,
} from '../../core/index.ts'
import { requestsOf } from '../../db/index.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { privateMessages } from '../messages/index.ts'
import { Receive, SendMessage } from '../messages/messages.ts'
import { handleEnds, handleRequests } from './changes.ts'
import { type Circle, Circles } from './circle.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'

const { AddFriendRequest, FriendList, FriendOnOffLine, QueryBlockedUsers, QueryFriendRequests } = messages

/** Requests told at once; who has more answers these first. */
const MAX_REQUESTS = 1000

/** Friendships, requests for them, blocks, and who of one's friends is here. */
export const friends = definePlugin({
  name: 'friends',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages },
  options: z.strictObject({
    /** Whose private messages a user gets. Bots, admins and operators may write to anyone, and anyone to a bot. */
    messagesFrom: z.enum(['anyone', 'friends']).default('friends'),
  }),
  setup(app, { options, needs, limits, db }) {
    const circles = new Circles(db, () => needs.messages.postsSettled())
    const parts = { app, limits, db, accounts: needs.accounts, circles }
    handleRequests(parts)
    handleEnds(parts)
    const isOnline = (userId: number) => app.presence.isOnline(userId)

    app.handle(
      FriendList,
      async ({ user }) => {
        const { friends } = await circles.of(user.id)
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
        const { blocked } = await circles.of(user.id)
        const byId = await needs.accounts.byIds(blocked)
        return { users: [...byId.values()].map(({ id, name }) => ({ id, user: name })) }
      },
      { serial: true },
    )

    // Requests that came while the user was away.
    app.on(Receive, (session) =>
      needs.messages.retry(async () => {
        for (const { incoming, ...request } of await requestsFor(session.user))
          if (incoming) session.send(AddFriendRequest, request)
      }),
    )

    const mayWrite = (sender: User, recipient: Account, { friends, blocked }: Circle) => {
      if (blocked.has(sender.id)) throw new Refused(FAILURES.blocked)
      const mustBeFriend =
        options.messagesFrom === 'friends' &&
        sender.role === 'user' &&
        recipient.role !== 'bot' &&
        sender.id !== recipient.id
      if (mustBeFriend && !friends.has(sender.id))
        throw new Refused(FAILURES.not_friends, 'only friends may write to this user')
    }

    app.before(
      SendMessage,
      ({ user, isOperator }, { to }) => {
        if (isOperator) return
        const recipient = needs.accounts.find(to)
        // The handler says what is wrong with a recipient that there is not.
        const check = (account: Account | undefined) => {
          if (account === undefined) return
          return circles.check(user, account, (circle) => mayWrite(user, account, circle))
        }
        return recipient instanceof Promise ? recipient.then(check) : check(recipient)
      },
      // Last: between this look and the writer there is nothing that could take its time, or change the recipient.
      { order: 1000 },
    )

    const tellFriends = async (user: User, online: boolean) => {
      const { friends } = await circles.of(user.id)
      return app.users.announce(friends.keys(), FriendOnOffLine, { user: user.name, online })
    }
    const throttle = new PresenceThrottle({
      presence: app.presence,
      clock: app.clock,
      rate: app.limits.presenceRate,
      announce: async (user, online) => (await needs.messages.retry(() => tellFriends(user, online))) ?? 0,
    })
    app.onStop(() => throttle.stop())
    app.on(UserOnline, (user) => throttle.changed(user))
    app.on(UserOffline, (user) => throttle.changed(user))

    return { circleOf: (userId: number) => circles.of(userId) }
  },
})
