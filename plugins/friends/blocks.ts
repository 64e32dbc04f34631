import { Refused } from '../../core/index.ts'
import { block, unblock } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { BlockUser, QueryBlockedUsers, UnblockUser } from './messages.ts'
import { announceEnd } from './notices.ts'
import type { Parts } from './parts.ts'

/** Blocked users, among them disabled accounts: block, unblock, list. A block ends a friendship. */
export function handleBlocks(parts: Parts) {
  const { app, limits, db, accounts, circles } = parts
  const { clock } = app

  app.handle(BlockUser, async ({ user }, { user: name }) => {
    const other = await accounts.require(name)
    if (other.id === user.id) throw new Refused(FAILURES.yourself)
    await circles.change(
      [user, other],
      () => block(db, user.id, other.id, clock.time(), limits.blocks),
      ({ wereFriends }) => {
        // Anyone but a friend must not learn of the block.
        if (wereFriends) announceEnd(parts, user, other)
      },
    )
  })

  app.handle(UnblockUser, async ({ user }, { user: name }) => {
    const other = await accounts.require(name)
    await circles.change(
      [user, other],
      () => unblock(db, user.id, other.id),
      () => {},
    )
  })

  app.handle(
    QueryBlockedUsers,
    async ({ user }) => {
      const { blocked } = await circles.of(user.id)
      const byId = await accounts.byIds(blocked)
      return { users: [...byId.values()].map(({ id, name }) => ({ id, user: name })) }
    },
    { serial: true },
  )
}
