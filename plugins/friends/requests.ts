import { isLine, Refused, type User } from '../../core/index.ts'
import { answerRequest, requestFriend, requestsOf } from '../../db/index.ts'
import { Receive } from '../messages/messages.ts'
import { FAILURES } from './failures.ts'
import { AddFriend, AddFriendRequest, ConfirmFriendRequest, QueryFriendRequests } from './messages.ts'
import { announceAnswer } from './notices.ts'
import type { Parts } from './parts.ts'

/** Requests in one reply. The rest follows once some are answered. */
const MAX_REQUESTS = 1000

/** Friend requests: ask, answer, list, and push the unanswered ones at each `receive`. */
export function handleRequests(parts: Parts) {
  const { app, limits, db, accounts, circles } = parts
  const { clock } = app

  app.handle(AddFriend, async ({ user }, { user: name, note }) => {
    const other = await accounts.require(name, { active: true })
    if (other.id === user.id) throw new Refused(FAILURES.yourself)
    const now = clock.time()
    await circles.change(
      [user, other],
      () => requestFriend(db, { fromId: user.id, toId: other.id, note, now }, limits),
      ({ areFriends }) => {
        const request = { user: user.name, nickname: user.nickname, note, sentAt: now }
        if (areFriends) announceAnswer(parts, user, other, true)
        else app.users.send([other.id], AddFriendRequest, request)
      },
    )
  })

  app.handle(ConfirmFriendRequest, async ({ user }, { user: name, accept }) => {
    // The request of a disabled account can only be declined.
    const other = await accounts.require(name, { active: accept })
    await circles.change(
      [user, other],
      () => answerRequest(db, { userId: user.id, fromId: other.id, accept, now: clock.time() }, limits),
      () => announceAnswer(parts, user, other, accept),
    )
  })

  listRequests(parts)
}

function listRequests({ app, db, accounts, conversations }: Parts) {
  const requestsFor = async (user: User) => {
    const rows = await requestsOf(db, user.id, MAX_REQUESTS)
    const byId = await accounts.byIds(rows.flatMap((row) => [row.user_id, row.target_id]))
    return rows.flatMap((row) => {
      const incoming = row.target_id === user.id
      const other = byId.get(incoming ? row.user_id : row.target_id)
      // An adopted database may hold any text here.
      const note = isLine(row.msg) ? row.msg : ''
      return other ? [{ user: other.name, nickname: other.nickname, incoming, note, sentAt: row.send_time }] : []
    })
  }

  app.handle(QueryFriendRequests, async ({ user }) => ({ requests: await requestsFor(user) }), { serial: true })

  // All unanswered requests, also those pushed before.
  app.on(Receive, (session) =>
    conversations.retry(async () => {
      for (const { incoming, ...request } of await requestsFor(session.user))
        if (incoming) session.send(AddFriendRequest, request)
    }),
  )
}
