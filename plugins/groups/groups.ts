import { Refused, toShownName } from '../../core/index.ts'
import { dissolveGroup, insertGroup, renameGroup } from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { CreationRate } from './creation-rate.ts'
import { GroupChanged } from './events.ts'
import { CreateRoom, DissolveRoom, RenameRoom } from './messages.ts'
import { announceChange } from './notices.ts'
import { actorOf, conversationOf, type Parts } from './parts.ts'
import { refusalOf } from './roster.ts'

const NAME_CHARACTERS = 30

/** @throws Refused `invalid_name` */
function checkName(wanted: string): string {
  const name = toShownName(wanted, NAME_CHARACTERS)
  if (name !== undefined) return name
  throw new Refused(
    ACCOUNT_FAILURES.invalid_name,
    `a group name is one line of 1 to ${NAME_CHARACTERS} characters, all of them seen`,
  )
}

/** Groups as a whole: create, rename, dissolve. */
export function handleGroups(parts: Parts) {
  const { app, limits, db, roster, conversations } = parts
  const { clock } = app
  const rate = new CreationRate(limits, clock)

  app.handle(CreateRoom, async ({ user }, { group: wanted, open, allHistory }) => {
    const name = checkName(wanted)
    const { groupsPerUser } = limits
    return rate.count(user.id, async () => {
      const values = { name, ownerId: user.id, isOpen: open, allHistory, now: clock.time(), groupsPerUser }
      const created = await roster.create(() => insertGroup(db, values))
      if ('conflict' in created) throw refusalOf(created.conflict, name)
      app.share(GroupChanged, { groupId: created.id, userIds: [user.id] }, [user.id])
      return { id: created.id, group: name }
    })
  })

  app.handle(RenameRoom, async (session, { group, name: wanted }) => {
    const value = checkName(wanted)
    await roster.change(
      group,
      (key) => renameGroup(db, key, actorOf(session), value),
      (change) => announceChange(parts, change, { group, user: session.user.name, what: 'renamed', value }),
    )
  })

  app.handle(DissolveRoom, async (session, { group }) => {
    await roster.change(
      group,
      (key) => dissolveGroup(db, key, actorOf(session)),
      (change) => {
        const { id, memberIds } = change.after
        roster.dissolved(change.after, group)
        announceChange(parts, change, { group, user: session.user.name, what: 'dissolved' })
        for (const member of memberIds) conversations.left(member, conversationOf(id))
      },
    )
  })
}
