import { QueryDevices } from '../../plugins/devices/messages.ts'
import {
  AddFriend,
  BlockUser,
  ConfirmFriendRequest,
  DeleteFriend,
  QueryBlockedUsers,
  UnblockUser,
} from '../../plugins/friends/messages.ts'
import {
  CreateRoom,
  DeclineInvitation,
  DissolveRoom,
  InviteToRoom,
  JoinRoom,
  KickFromRoom,
  LeaveRoom,
  QueryRooms,
  QueryRoomUsers,
  RenameRoom,
  SetRoomRole,
} from '../../plugins/groups/messages.ts'
import { groupKey } from '../shared/model.ts'
import type { ArgumentOf, CallName, ResultOf } from '../shared/protocol.ts'
import type { Chat } from './chat.ts'
import { contentKey } from './transfers.ts'

type CallTable = { readonly [N in CallName]: (chat: Chat, argument: ArgumentOf<N>) => Promise<ResultOf<N>> }

/** What views may ask of the worker. */
export const calls: { readonly [name in CallName]: (chat: Chat, argument: never) => Promise<unknown> } = {
  reconnect: async (chat) => chat.start(),
  trustNewKey: (chat) => chat.trustNewKey(),
  register: (chat, account) => chat.register(account),
  login: (chat, account) => chat.login(account),
  logout: (chat) => chat.logout(),
  changePassword: (chat, passwords) => chat.changePassword(passwords),

  devices: async ({ session }) => (await session.client.request(QueryDevices, {})).devices,
  revokeDevice: ({ session }, { device }) => session.revoke(device),

  send: ({ session }, message) => session.outbox.add(message),
  retry: ({ session }, { clientId }) => session.outbox.retry(clientId),
  discard: ({ session }, { clientId }) => session.outbox.discard(clientId),
  cancel: ({ session }, { clientId }) => session.outbox.cancel(clientId),
  content: ({ session }, query) => session.transfers.content(query),
  stopContent: async ({ session }, { file }) => session.transfers.stop(contentKey(file)),
  history: ({ session }, query) => session.history(query),
  search: ({ session }, query) => session.search(query),
  read: ({ session }, place) => session.read(place),
  typing: ({ session }, typing) => session.typing(typing),
  profiles: ({ session }, { users }) => session.profiles(users),
  setProfile: ({ session }, profile) => session.setProfile(profile),
  recall: ({ session }, message) => session.changes.recall(message),
  edit: ({ session }, edit) => session.changes.edit(edit),
  react: ({ session }, reaction) => session.changes.react(reaction),
  reactions: ({ session }, { ids }) => session.client.reactions(ids),

  addFriend: async ({ session }, request) => {
    await session.client.request(AddFriend, request)
    await session.requests.load()
  },
  answerFriend: async ({ session }, answer) => {
    await session.client.request(ConfirmFriendRequest, answer)
    await session.requests.load()
  },
  deleteFriend: ({ session }, user) => session.client.request(DeleteFriend, user),
  block: ({ session }, user) => session.client.request(BlockUser, user),
  unblock: ({ session }, user) => session.client.request(UnblockUser, user),
  blocked: async ({ session }) => {
    const { users } = await session.client.request(QueryBlockedUsers, {})
    return users.map(({ user }) => user)
  },

  groups: async ({ session }) => (await session.client.request(QueryRooms, {})).groups,
  members: async ({ session }, { key }) => {
    const { members } = await session.client.request(QueryRoomUsers, { group: session.roster.nameOf(key) })
    return members
  },
  createGroup: async ({ session }, group) => {
    const { id } = await session.client.request(CreateRoom, group)
    return { key: groupKey(id) }
  },
  joinGroup: ({ session }, group) => session.requests.answer(JoinRoom, group),
  leaveGroup: ({ session }, { key }) => session.client.request(LeaveRoom, { group: session.roster.nameOf(key) }),
  renameGroup: ({ session }, { key, name }) =>
    session.client.request(RenameRoom, { group: session.roster.nameOf(key), name }),
  dissolveGroup: ({ session }, { key }) => session.client.request(DissolveRoom, { group: session.roster.nameOf(key) }),
  invite: ({ session }, { key, user }) =>
    session.client.request(InviteToRoom, { group: session.roster.nameOf(key), user }),
  declineInvitation: ({ session }, group) => session.requests.answer(DeclineInvitation, group),
  kick: ({ session }, { key, user }) =>
    session.client.request(KickFromRoom, { group: session.roster.nameOf(key), user }),
  setRole: ({ session }, { key, user, role }) =>
    session.client.request(SetRoomRole, { group: session.roster.nameOf(key), user, role }),
} satisfies CallTable
