import { type App, type Context, type InputOf, Refused, type ServerMessage, type User } from '../../core/index.ts'
import { answerRequest, block, requestFriend, unblock, unfriend } from '../../db/index.ts'
import type { Account, accounts } from '../accounts/index.ts'
import type { Circles } from './circle.ts'
import { FriendshipChanged } from './events.ts'
import { FAILURES } from './failures.ts'
import type { FriendLimits } from './limits.ts'
import * as messages from './messages.ts'

export interface Friends {
  readonly app: App
  readonly limits: FriendLimits
  readonly db: Context<undefined, Record<never, never>>['db']
  readonly accounts: Context<undefined, { readonly accounts: typeof accounts }>['needs']['accounts']
  readonly circles: Circles
}

const tell = <M extends ServerMessage>({ app }: Friends, userId: number, message: M, values: InputOf<M>) => {
  for (const session of app.sessions.of(userId)) session.send(message, values)
}

/** Both are told what became of a request. */
function answered(parts: Friends, one: User, other: User, accepted: boolean) {
  tell(parts, one.id, messages.AddFriendResult, { user: other.name, nickname: other.nickname, accepted })
  tell(parts, other.id, messages.AddFriendResult, { user: one.name, nickname: one.nickname, accepted })
  if (accepted) parts.app.emit(FriendshipChanged, { between: [one.id, other.id] })
}

/** Both are told that they are friends no more. */
function parted(parts: Friends, one: User, other: User) {
  tell(parts, one.id, messages.FriendDeleted, { user: other.name })
  tell(parts, other.id, messages.FriendDeleted, { user: one.name })
  parts.app.emit(FriendshipChanged, { between: [one.id, other.id] })
}

/** Requests for friendships and their answers. */
export function handleRequests(parts: Friends) {
  const { app, limits, db, accounts, circles } = parts
  const { clock } = app

  app.handle(messages.AddFriend, async ({ user }, { user: name, note }) => {
    const other = await accounts.requireActive(name)
    if (other.id === user.id) throw new Refused(FAILURES.yourself)
    const now = clock.time()
    await circles.change(
      [user, other],
      () => requestFriend(db, { fromId: user.id, toId: other.id, note, now }, limits),
      ({ areFriends }) => {
        const request = { user: user.name, nickname: user.nickname, note, sentAt: now }
        if (areFriends) answered(parts, user, other, true)
        else tell(parts, other.id, messages.AddFriendRequest, request)
      },
    )
  })

  app.handle(messages.ConfirmFriendRequest, async ({ user }, { user: name, accept }) => {
    // A disabled account's request can be refused.
    const other = accept ? await accounts.requireActive(name) : await accounts.require(name)
    await circles.change(
      [user, other],
      () => answerRequest(db, { userId: user.id, fromId: other.id, accept, now: clock.time() }, limits),
      () => answered(parts, user, other, accept),
    )
  })
}

/** Ends of friendships, and blocks: also of accounts that are disabled. */
export function handleEnds(parts: Friends) {
  const { app, limits, db, accounts, circles } = parts
  const { clock } = app

  app.handle(messages.DeleteFriend, async ({ user }, { user: name }) => {
    const other = await accounts.require(name)
    await circles.change(
      [user, other],
      () => unfriend(db, user.id, other.id),
      () => parted(parts, user, other),
    )
  })

  app.handle(messages.BlockUser, async ({ user }, { user: name }) => {
    const other: Account = await accounts.require(name)
    if (other.id === user.id) throw new Refused(FAILURES.yourself)
    await circles.change(
      [user, other],
      () => block(db, user.id, other.id, clock.time(), limits.blocks),
      ({ wereFriends }) => {
        // Who was no friend learns nothing of it.
        if (wereFriends) parted(parts, user, other)
      },
    )
  })

  app.handle(messages.UnblockUser, async ({ user }, { user: name }) => {
    const other = await accounts.require(name)
    await circles.change(
      [user, other],
      () => unblock(db, user.id, other.id),
      () => {},
    )
  })
}
