import {
  AddFriend,
  BlockUser,
  CancelScheduled,
  ChatroomMessage,
  ConfirmFriendRequest,
  CreateRoom,
  DeleteFriend,
  DissolveRoom,
  FriendList,
  InviteToRoom,
  JoinRoom,
  MoveConsumer,
  QueryBlockedUsers,
  QueryConsumers,
  QueryFriendRequests,
  QueryHistory,
  QueryRoomHistory,
  QueryRooms,
  QueryRoomUsers,
  QueryScheduled,
  ScheduleMessage,
  SendMessage,
  SetRoomRole,
  UnblockUser,
} from '../../../client/index.ts'
import { DeleteConsumer, SetUserActive } from '../../../plugins/index.ts'
import { ask, outcomeOf, type RaceServer, USERS, type UserName } from './race-server.ts'

/** The state before two concurrent requests. */
export interface Scene {
  /** Carol and Dave. */
  readonly relation: 'strangers' | 'asked' | 'friends' | 'blocked'
  readonly isOpen: boolean
  readonly dave: 'outside' | 'invited' | 'member'
}

export const SCENES: readonly Scene[] = [
  { relation: 'strangers', isOpen: true, dave: 'outside' },
  { relation: 'asked', isOpen: false, dave: 'invited' },
  { relation: 'friends', isOpen: true, dave: 'member' },
  { relation: 'blocked', isOpen: false, dave: 'outside' },
]

/** Fresh names and ids for one pair of requests. */
export interface World {
  readonly server: RaceServer
  readonly scene: Scene
  /** Alice owns it, Bob is an admin, Carol a member. */
  readonly group: string
  /** A name that no group has. */
  readonly free: string
  /** Of Bob in the group. */
  readonly groupMessage: number
  /** Of Carol to herself. */
  readonly privateMessage: number
  readonly scheduled: number
  /** Marks texts of this world. */
  readonly mark: string
}

let worlds = 0

/** Creates the state of a scene by requests. */
export async function makeWorld(server: RaceServer, scene: Scene): Promise<World> {
  const { alice, bob, carol, dave } = server.people
  const mark = `w${++worlds}`
  const [group, free] = [`${mark}-g`, `${mark}-x`]
  const say = (name: UserName) => server.people[name].on(0)
  await Promise.all([relate(server, scene.relation), makeGroup(server, scene, group)])
  const [groupMessage, privateMessage, scheduled] = await Promise.all([
    say('bob').request(ChatroomMessage, { group, text: `${mark} by bob` }),
    say('carol').request(SendMessage, { to: 'carol', text: `${mark} note` }),
    say('carol').request(ScheduleMessage, { to: 'carol', text: 'later', delay: 3_600_000, clientId: `${mark}-base` }),
    say('carol').request(MoveConsumer, { consumer: 'main', after: 0 }),
  ])
  for (const person of [alice, bob, carol, dave]) await person.listener.request(QueryRooms, {})
  for (const person of [alice, bob, carol, dave]) person.pushes = []
  const ids = { groupMessage: groupMessage.id, privateMessage: privateMessage.id, scheduled: scheduled.id }
  return { server, scene, group, free, mark, ...ids }
}

async function relate({ people: { carol, dave } }: RaceServer, relation: Scene['relation']) {
  const [c, d] = [carol.on(0), dave.on(0)]
  // Cleans up after an earlier world; most of these requests are refused.
  await Promise.all([
    ask(c, UnblockUser, { user: 'dave' }),
    ask(d, UnblockUser, { user: 'carol' }),
    ask(c, DeleteFriend, { user: 'dave' }),
  ])
  await ask(d, ConfirmFriendRequest, { user: 'carol', accept: false })
  await ask(c, ConfirmFriendRequest, { user: 'dave', accept: false })
  for (const consumer of ['main', 'new']) await ask(c, DeleteConsumer, { consumer })
  if (relation === 'asked' || relation === 'friends') await c.request(AddFriend, { user: 'dave' })
  if (relation === 'friends') await d.request(AddFriend, { user: 'carol' })
  if (relation === 'blocked') await d.request(BlockUser, { user: 'carol' })
}

async function makeGroup({ people }: RaceServer, { isOpen, dave }: Scene, group: string) {
  const [alice, bob] = [people.alice.on(0), people.bob.on(0)]
  await alice.request(CreateRoom, { group, open: isOpen })
  const guests = ['bob', 'carol', ...(dave === 'outside' ? [] : ['dave'])] as const
  for (const user of guests) {
    if (!isOpen) await alice.request(InviteToRoom, { group, user })
    if (user !== 'dave' || dave === 'member') await people[user as UserName].on(0).request(JoinRoom, { group })
  }
  await alice.request(SetRoomRole, { group, user: 'bob', role: 'admin' })
  await bob.request(QueryRooms, {})
}

/** The observable state afterwards: pushes, then each user's lists and readable messages. */
export async function observe(world: World): Promise<string> {
  const { server, mark } = world
  for (const name of USERS) if (server.people[name].isHere) await ask(server.people[name].listener, QueryRooms, {})
  const pushed = USERS.map((name) => [name, server.people[name].isHere ? server.people[name].pushes : []])
  const states = await Promise.all(USERS.map((name) => stateOf(world, name)))
  const found = JSON.stringify({ pushed, states }, undefined, 1)
  return found.replaceAll(mark, 'w')
}

async function stateOf({ server, group, free, mark }: World, name: UserName): Promise<unknown> {
  const person = server.people[name]
  if (!person.isHere) return `${name} is not here`
  const client = person.listener
  const texts = async (request: Promise<{ messages: readonly { text: string; unread: boolean }[] }>) => {
    const { messages } = await request
    return { texts: messages.filter(({ text }) => text.includes(mark)).map(({ text, unread }) => `${text} ${unread}`) }
  }
  const both = [group, free]
  const { groups } = await client.request(QueryRooms, {})
  const { messages: scheduled } = await client.request(QueryScheduled, { all: false, limit: 100, after: 0 })
  return {
    groups: groups.filter((room) => both.includes(room.group)),
    members: await Promise.all(both.map((one) => ask(client, QueryRoomUsers, { group: one }))),
    said: await Promise.all(both.map((one) => outcomeOf(texts(client.request(QueryRoomHistory, { group: one }))))),
    heard: await Promise.all(
      USERS.map((other) => outcomeOf(texts(client.request(QueryHistory, { with: other, limit: 10 })))),
    ),
    friends: await ask(client, FriendList, {}),
    requests: await ask(client, QueryFriendRequests, {}),
    blocked: await ask(client, QueryBlockedUsers, {}),
    consumers: await ask(client, QueryConsumers, {}),
    scheduled: scheduled.filter(({ text }) => text.includes(mark)).map(({ text, state }) => `${text} ${state}`),
  }
}

/** Tries who may write where, and who receives it. */
export async function probe(world: World): Promise<string> {
  const { server, group, free, mark } = world
  const { people } = server
  for (const name of USERS) people[name].pushes = []
  const said: string[] = []
  for (const name of USERS) {
    if (!people[name].isHere) continue
    for (const one of [group, free])
      said.push(await ask(people[name].on(0), ChatroomMessage, { group: one, text: `${mark} probe of ${name}` }))
  }
  for (const [from, to] of [
    ['carol', 'dave'],
    ['dave', 'carol'],
  ] as const)
    if (people[from].isHere) said.push(await ask(people[from].on(0), SendMessage, { to, text: `${mark} probe` }))
  for (const name of USERS) if (people[name].isHere) await ask(people[name].listener, QueryRooms, {})
  const heard = USERS.map((name) => [name, people[name].isHere ? people[name].pushes : []])
  return JSON.stringify({ said, heard }, undefined, 1).replaceAll(mark, 'w')
}

/** Cleans up for the next world. */
export async function endWorld({ server, group, free }: World) {
  const { people, operator } = server
  await ask(operator, SetUserActive, { user: 'dave', active: true })
  if (!people.dave.isHere) await people.dave.logIn()
  for (const name of USERS) for (const one of [group, free]) await ask(people[name].on(0), DissolveRoom, { group: one })
  const carol = people.carol.on(0)
  const { messages } = await carol.request(QueryScheduled, { all: false })
  await Promise.all(messages.map(({ id }) => carol.request(CancelScheduled, { id })))
}
