import {
  type InputOf,
  Refused,
  type ServerMessage,
  TokenBucket,
  tokenBuckets,
  toShownName,
  type UserSession,
} from '../../core/index.ts'
import {
  dissolveGroup,
  insertGroup,
  inviteToGroup,
  joinGroup,
  kickFromGroup,
  leaveGroup,
  renameGroup,
  setGroupRole,
} from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { GroupChanged } from './events.ts'
import { FAILURES } from './failures.ts'
import * as messages from './messages.ts'
import { conversationOf, type Room } from './room.ts'
import { type Change, refusalOf, roleIn } from './roster.ts'

const NAME_CHARACTERS = 30
/** Users whose rate of making groups is remembered at once. */
const MAKERS_KEPT = 10_000

/** @throws Refused `invalid_name` */
function checkName(wanted: string): string {
  const name = toShownName(wanted, NAME_CHARACTERS)
  if (name !== undefined) return name
  throw new Refused(
    ACCOUNT_FAILURES.invalid_name,
    `a group name is one line of 1 to ${NAME_CHARACTERS} characters, all of them seen`,
  )
}

/** Who is in a group, and as what. */
export function handleMembership(room: Room) {
  handleGroups(room)
  handleMembers(room)
}

const actorOf = ({ user, isOperator }: UserSession) => ({ id: user.id, isOperator })

function tell<M extends ServerMessage>({ app }: Room, userIds: Iterable<number>, message: M, values: InputOf<M>) {
  for (const id of userIds) for (const session of app.sessions.of(id)) session.send(message, values)
}

interface Notice {
  /** The group's name before the change. */
  readonly group: string
  /** The user it is about. */
  readonly user: string
  readonly what: 'joined' | 'left' | 'kicked' | 'role' | 'renamed' | 'dissolved'
  readonly value?: string
}

/** Tells members of a change, those before it and those after it. */
function announce(room: Room, { before, after }: Change, { value = '', ...notice }: Notice, about: number[] = []) {
  const hearers = new Set([...(before ?? after).memberIds, ...after.memberIds, ...about])
  room.roster.forgetUsers(hearers)
  tell(room, hearers, messages.JoinLeaveChatroom, { ...notice, value })
  room.app.emit(GroupChanged, { groupId: after.id, userIds: hearers })
}

/** What each user may make of groups. */
function makersOf({ limits, app: { clock } }: Room): (userId: number) => TokenBucket {
  const [rate, burst] = [limits.groupsMade / 3600, limits.groupsMade]
  const makers = tokenBuckets<number>(MAKERS_KEPT, { rate, burst, clock })
  return (userId) => {
    const bucket = makers.get(userId) ?? new TokenBucket(rate, burst, clock.now())
    makers.set(userId, bucket)
    return bucket
  }
}

/** Groups as a whole. */
function handleGroups(room: Room) {
  const { app, limits, db, roster, conversations } = room
  const { clock } = app
  const makerOf = makersOf(room)

  app.handle(messages.CreateRoom, async ({ user }, { group: wanted, open, allHistory }) => {
    const name = checkName(wanted)
    const maker = makerOf(user.id)
    const retryAfter = maker.take(clock.now())
    const { groupsPerUser } = limits
    const values = { name, ownerId: user.id, isOpen: open, allHistory, now: clock.time(), groupsPerUser }
    try {
      if (retryAfter > 0) throw new Refused('rate_limited', 'you make too many groups', { retryAfter })
      const made = await insertGroup(db, values)
      if ('conflict' in made) throw refusalOf(made.conflict)
      roster.made(name, user.id)
      app.emit(GroupChanged, { groupId: made.id, userIds: [user.id] })
      return { id: made.id, group: name }
    } catch (error) {
      maker.giveBack()
      throw error
    }
  })

  app.handle(messages.RenameRoom, async (session, { group, name: wanted }) => {
    const value = checkName(wanted)
    await roster.change(
      group,
      (key) => renameGroup(db, key, actorOf(session), value),
      (change) => announce(room, change, { group, user: session.user.name, what: 'renamed', value }),
    )
  })

  app.handle(messages.DissolveRoom, async (session, { group }) => {
    await roster.change(
      group,
      (key) => dissolveGroup(db, key, actorOf(session)),
      (change) => {
        const { id, memberIds } = change.after
        roster.dissolved(change.after, group)
        announce(room, change, { group, user: session.user.name, what: 'dissolved' })
        for (const member of memberIds) conversations.left(member, conversationOf(id))
      },
    )
  })
}

/** Members of groups. */
function handleMembers(room: Room) {
  const { app, limits, db, roster, conversations, accounts } = room
  const { clock } = app

  app.handle(messages.JoinRoom, async ({ user }, { group }) => {
    const { groupMembers, groupsPerUser } = limits
    await roster.change(
      group,
      (key) => joinGroup(db, key, user.id, { now: clock.time(), groupMembers, groupsPerUser }),
      (change) => announce(room, change, { group, user: user.name, what: 'joined' }),
    )
  })

  /** A membership has ended. The notice is the last that the user hears of the group. */
  const parted = (change: Change, notice: Notice, userId: number) => {
    conversations.left(userId, conversationOf(change.after.id))
    announce(room, change, notice, [userId])
  }

  app.handle(messages.LeaveRoom, async ({ user }, { group }) => {
    await roster.change(
      group,
      (key) => leaveGroup(db, key, user.id),
      (change) => parted(change, { group, user: user.name, what: 'left' }, user.id),
    )
  })

  app.handle(messages.KickFromRoom, async (session, { group, user: name }) => {
    // First as a member: a stranger learns nothing of who has an account or what the group is.
    await roster.member(group, session.user)
    const account = await accounts.require(name)
    await roster.change(
      group,
      (key) => kickFromGroup(db, key, actorOf(session), account.id),
      (change) => parted(change, { group, user: account.name, what: 'kicked' }, account.id),
    )
  })

  app.handle(messages.InviteToRoom, async (session, { group: name, user: whom }) => {
    const group = await roster.member(name, session.user)
    if (roleIn(group, session.user.id) === 'member') throw new Refused(FAILURES.role_too_low)
    const guest = await accounts.requireActive(whom)
    const { invitations, invitationsToOne } = limits
    await roster.unchanged(
      name,
      (key) => inviteToGroup(db, key, actorOf(session), guest.id, { now: clock.time(), invitations, invitationsToOne }),
      ({ isNew }) => {
        // Again while one waits tells nobody anything.
        if (isNew) tell(room, [guest.id], messages.RoomInvitation, { group: name, by: session.user.name })
      },
    )
  })

  app.handle(messages.SetRoomRole, async (session, { group, user: name, role }) => {
    await roster.member(group, session.user)
    const account = await accounts.require(name)
    await roster.change(
      group,
      (key) => setGroupRole(db, key, actorOf(session), account.id, role),
      (change) => announce(room, change, { group, user: account.name, what: 'role', value: role }),
    )
  })
}
