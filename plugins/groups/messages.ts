import {
  bool,
  clientMessage,
  line,
  list,
  MAX_TEXT,
  oneOf,
  optional,
  serverMessage,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'
import { attachedFile, historyRange, replyTo, textStyle } from '../messages/fields.ts'
import { ChatHistory, MessageStored } from '../messages/messages.ts'

const groupName = (about: string) => line(about, { min: 1, max: 120 })
const role = (about: string) => oneOf(about, ['owner', 'admin', 'member'])
const group = groupName('name of the group')

export const CreateRoomRes = serverMessage({
  type: 114,
  name: 'create_room_res',
  about: 'The group was created. This user is its owner.',
  fields: { id: uint32('id of the group'), group: groupName('name of the group, normalized to NFC') },
})

export const CreateRoom = clientMessage({
  type: 22,
  name: 'create_room',
  about: 'Creates a group.',
  allow: 'user',
  fields: {
    group: groupName('unique name of the group, at most 30 characters'),
    open: optional(bool('true: anyone may join, except kicked members; false: only invited users may'), true),
    allHistory: optional(bool('true: a new member may read earlier messages'), false),
  },
  reply: CreateRoomRes,
})

export const JoinRoom = clientMessage({
  type: 21,
  name: 'join_room',
  about: 'Joins a group.',
  allow: 'user',
  fields: { group },
})

export const LeaveRoom = clientMessage({
  type: 24,
  name: 'leave_room',
  about: 'Leaves a group. The owner must first make another member the owner, or dissolve the group.',
  allow: 'user',
  fields: { group },
})

export const QueryRoomUsersResult = serverMessage({
  type: 115,
  name: 'query_room_users_result',
  about: 'The members of a group, ordered by name.',
  fields: {
    members: list(
      'the members',
      {
        user: userName('name of the member'),
        nickname: line('display name', { max: 256 }),
        role: role('role of the member'),
        online: bool('true while the member has a session'),
      },
      { max: 2000 },
    ),
  },
})

export const QueryRoomUsers = clientMessage({
  type: 23,
  name: 'query_room_users',
  about: 'Requests the members of a group of this user.',
  allow: 'user',
  fields: { group },
  reply: QueryRoomUsersResult,
})

export const RoomList = serverMessage({
  type: 136,
  name: 'room_list',
  about: 'The groups of this user, ordered by name.',
  fields: {
    groups: list(
      'the groups',
      {
        group,
        role: role('role of the member'),
        members: uint16('number of members'),
        open: bool('true: anyone may join; false: only invited users may'),
        unread: uint32('number of unread messages from other members'),
      },
      { max: 1000 },
    ),
  },
})

export const QueryRooms = clientMessage({
  type: 25,
  name: 'query_rooms',
  about: 'Requests the groups of this user.',
  allow: 'user',
  fields: {},
  reply: RoomList,
})

export const InviteToRoom = clientMessage({
  type: 26,
  name: 'invite_to_room',
  about:
    'Invites a user to a group, which may then be joined even if it is not open. Allowed to the owner and admins. Repeating a pending invitation pushes nothing.',
  allow: 'user',
  fields: { group, user: userName('name of the user') },
})

export const RoomInvitation = serverMessage({
  type: 137,
  name: 'room_invitation',
  about: 'This user was invited to a group. Pushed once per pending invitation.',
  fields: { group, by: userName('name of the inviting member') },
})

export const InvitationList = serverMessage({
  type: 176,
  name: 'invitation_list',
  about: 'The pending group invitations of this user, newest first.',
  fields: {
    invitations: list(
      'the invitations',
      {
        group,
        by: line('name of the inviting member; empty if it was not recorded', { max: 255 }),
        invitedAt: uint64('time of the invitation, milliseconds since 1970-01-01 UTC'),
      },
      { max: 1000 },
    ),
  },
})

export const QueryInvitations = clientMessage({
  type: 74,
  name: 'query_invitations',
  about: 'Requests the groups to which this user is invited.',
  allow: 'user',
  fields: {},
  reply: InvitationList,
})

export const DeclineInvitation = clientMessage({
  type: 75,
  name: 'decline_invitation',
  about: 'Ends a pending invitation of this user. Nobody is notified.',
  allow: 'user',
  fields: { group },
})

export const KickFromRoom = clientMessage({
  type: 27,
  name: 'kick_from_room',
  about:
    'Removes a user from a group, who may then join again only by an invitation. The owner may remove anyone else, admins only members.',
  allow: 'user',
  fields: { group, user: userName('name of the user') },
})

export const SetRoomRole = clientMessage({
  type: 28,
  name: 'set_room_role',
  about:
    'Changes the role of a member. Allowed to the owner. If the new role is owner, the previous owner becomes an admin.',
  allow: 'user',
  fields: { group, user: userName('name of the user'), role: role('role of the member') },
})

export const RenameRoom = clientMessage({
  type: 29,
  name: 'rename_room',
  about: 'Renames a group. Allowed to the owner and admins.',
  allow: 'user',
  fields: { group, name: groupName('new name of the group') },
})

export const DissolveRoom = clientMessage({
  type: 30,
  name: 'dissolve_room',
  about: 'Dissolves a group. Allowed to the owner.',
  allow: 'user',
  fields: { group },
})

export const JoinLeaveChatroom = serverMessage({
  type: 124,
  name: 'join_leave_chatroom',
  about: 'A group of this user, or one of its members, changed.',
  fields: {
    group: groupName('name of the group, before the change'),
    user: userName('name of the user who joined, left or has a new role; otherwise of the one who made the change'),
    what: oneOf('kind of change', ['joined', 'left', 'kicked', 'role', 'renamed', 'dissolved']),
    value: line('new role or new name; otherwise empty', { max: 120 }),
  },
})

export const RoomUserOnOffLine = serverMessage({
  type: 116,
  name: 'room_user_on_off_line',
  about:
    'A member came online (first session) or went offline (last session ended). Pushed at most every 2 s per member.',
  fields: { group, user: userName('name of the member'), online: bool('true: online; false: offline') },
})

export const ChatroomMessage = clientMessage({
  type: 12,
  name: 'chatroom_message',
  about: 'Sends a message to a group. The other members get it as on_new_message, of kind 4.',
  allow: 'user',
  fields: {
    group,
    text: text('text; may contain line breaks; empty only with `file`', { max: MAX_TEXT }),
    clientId: optional(line('idempotency key, as in send_message', { max: 64 }), ''),
    ...textStyle,
    hops: optional(uint8('as in send_message'), 0),
    replyTo,
    file: attachedFile,
  },
  reply: MessageStored,
})

export const AcknowledgeRoom = clientMessage({
  type: 31,
  name: 'acknowledge_room',
  about: 'Marks all messages of a group as read, up to and including one: they are not pushed again.',
  allow: 'user',
  fields: { group, upTo: uint64('id of the last message read') },
})

export const QueryRoomHistory = clientMessage({
  type: 32,
  name: 'query_room_history',
  about: 'Requests messages of a group that this user may read: the newest, or those at an id.',
  allow: 'user',
  fields: {
    group,
    before: optional(uint64('only messages with a lower id; 0: the newest'), 0),
    limit: optional(uint16('most messages in the reply; 0: the server’s page size'), 0),
    ...historyRange,
  },
  reply: ChatHistory,
})
