import {
  AcknowledgeRoom,
  AddFriend,
  BlockUser,
  CancelScheduled,
  ChatroomMessage,
  ConfirmFriendRequest,
  CreateRoom,
  DeleteFriend,
  DissolveRoom,
  InviteToRoom,
  JoinRoom,
  KickFromRoom,
  LeaveRoom,
  MoveConsumer,
  RecallMessage,
  RenameRoom,
  ScheduleMessage,
  SendMessage,
  SetRoomRole,
  UnblockUser,
} from '../../../client/index.ts'
import type { ClientMessage, InputOf } from '../../../core/index.ts'
import { DeleteConsumer, SetUserActive } from '../../../plugins/index.ts'
import { ask, type UserName } from './race-server.ts'
import type { World } from './world.ts'

/** A writing request, made in a world from side 0 or 1. */
export interface Crossing {
  readonly name: string
  readonly by: UserName | 'operator'
  /** Ends the sessions of Dave. */
  readonly endsDave?: boolean
  ask(world: World, side: number): Promise<string>
}

const by = <M extends ClientMessage>(
  name: UserName,
  what: string,
  message: M,
  values: (world: World) => InputOf<M>,
): Crossing => ({
  name: `${name} ${what}`,
  by: name,
  ask: (world, side) => ask(world.server.people[name].on(side), message, values(world)),
})

const group = ({ group }: World) => ({ group })
const role = (name: UserName, user: UserName, wanted: 'owner' | 'admin' | 'member') =>
  by(name, `makes ${user} ${wanted}`, SetRoomRole, (world) => ({ ...group(world), user, role: wanted }))
const kick = (name: UserName, user: UserName) =>
  by(name, `kicks ${user}`, KickFromRoom, (world) => ({ ...group(world), user }))
const invite = (name: UserName) =>
  by(name, 'invites dave', InviteToRoom, (world) => ({ ...group(world), user: 'dave' }))
const post = (name: UserName) =>
  by(name, 'posts', ChatroomMessage, ({ group, mark }) => ({ group, text: `${mark} post of ${name}` }))
const leave = (name: UserName) => by(name, 'leaves', LeaveRoom, group)
const dissolve = (name: UserName) => by(name, 'dissolves', DissolveRoom, group)
const schedule = (text: string) =>
  by('carol', `schedules ${text}`, ScheduleMessage, ({ mark }) => ({
    to: 'dave',
    text: `${mark} ${text}`,
    delay: 3_600_000,
    clientId: `${mark}-s`,
  }))
const setActive = (active: boolean): Crossing => ({
  name: active ? 'operator enables dave' : 'operator disables dave',
  by: 'operator',
  endsDave: !active,
  ask: ({ server }) => ask(server.operator, SetUserActive, { user: 'dave', active }),
})

export const GROUP_CROSSINGS: readonly Crossing[] = [
  by('dave', 'creates', CreateRoom, ({ free }) => ({ group: free })),
  by('carol', 'creates', CreateRoom, ({ free }) => ({ group: free })),
  by('dave', 'joins', JoinRoom, group),
  leave('carol'),
  leave('bob'),
  leave('alice'),
  leave('dave'),
  invite('bob'),
  invite('alice'),
  kick('bob', 'carol'),
  kick('alice', 'bob'),
  kick('bob', 'dave'),
  role('alice', 'carol', 'admin'),
  role('alice', 'bob', 'member'),
  role('alice', 'bob', 'owner'),
  role('alice', 'carol', 'owner'),
  role('alice', 'dave', 'owner'),
  by('bob', 'renames', RenameRoom, ({ group, free }) => ({ group, name: free })),
  by('alice', 'renames', RenameRoom, ({ group, free }) => ({ group, name: free })),
  dissolve('alice'),
  dissolve('bob'),
  post('bob'),
  post('carol'),
  post('dave'),
  by('carol', 'acknowledges', AcknowledgeRoom, ({ group, groupMessage }) => ({ group, upTo: groupMessage })),
  by('bob', 'recalls', RecallMessage, ({ groupMessage: id }) => ({ id })),
]

export const FRIEND_CROSSINGS: readonly Crossing[] = [
  by('carol', 'asks dave', AddFriend, () => ({ user: 'dave' })),
  by('dave', 'asks carol', AddFriend, () => ({ user: 'carol' })),
  by('dave', 'accepts', ConfirmFriendRequest, () => ({ user: 'carol', accept: true })),
  by('dave', 'refuses', ConfirmFriendRequest, () => ({ user: 'carol', accept: false })),
  by('carol', 'deletes dave', DeleteFriend, () => ({ user: 'dave' })),
  by('dave', 'deletes carol', DeleteFriend, () => ({ user: 'carol' })),
  by('dave', 'blocks carol', BlockUser, () => ({ user: 'carol' })),
  by('carol', 'blocks dave', BlockUser, () => ({ user: 'dave' })),
  by('dave', 'blocks bob', BlockUser, () => ({ user: 'bob' })),
  by('dave', 'unblocks carol', UnblockUser, () => ({ user: 'carol' })),
  by('carol', 'writes to dave', SendMessage, ({ mark }) => ({ to: 'dave', text: `${mark} to dave` })),
  by('dave', 'writes to carol', SendMessage, ({ mark }) => ({ to: 'carol', text: `${mark} to carol` })),
  by('carol', 'recalls', RecallMessage, ({ privateMessage: id }) => ({ id })),
]

export const OTHER_CROSSINGS: readonly Crossing[] = [
  schedule('one'),
  schedule('two'),
  by('carol', 'cancels', CancelScheduled, ({ scheduled: id }) => ({ id })),
  by('carol', 'makes a consumer', MoveConsumer, () => ({ consumer: 'new', after: 1 })),
  by('carol', 'moves a consumer', MoveConsumer, () => ({ consumer: 'main', after: 2 })),
  by('carol', 'deletes a consumer', DeleteConsumer, () => ({ consumer: 'main' })),
  setActive(false),
  setActive(true),
]

const ALL = [...GROUP_CROSSINGS, ...FRIEND_CROSSINGS, ...OTHER_CROSSINGS]

/** All pairs that can be made concurrently, each request also with itself. */
export const PAIRS: readonly (readonly [Crossing, Crossing])[] = ALL.flatMap((one, index) =>
  ALL.slice(index).flatMap((other) => {
    // A session that ends during its request gets no outcome.
    const isCutOff = (one.endsDave && other.by === 'dave') || (other.endsDave && one.by === 'dave')
    return isCutOff ? [] : [[one, other] as const]
  }),
)
