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
import { textStyle } from '../messages/fields.ts'
import { ChatHistory, MessageStored } from '../messages/messages.ts'

const groupName = (about: string) => line(about, { min: 1, max: 120 })
const role = (about: string) => oneOf(about, ['owner', 'admin', 'member'])
const group = groupName('name of the group')

export const CreateRoomRes = serverMessage({
  type: 114,
  name: 'create_room_res',
  about: 'The group exists, and the one who made it is its owner.',
  fields: { id: uint32('number of the group'), group: groupName('the name as it was taken') },
})

export const CreateRoom = clientMessage({
  type: 22,
  name: 'create_room',
  about: 'Makes a group.',
  allow: 'user',
  fields: {
    group: groupName('the wanted name, unique, at most 30 characters'),
    open: optional(bool('true: anyone may join; false: only who is invited'), true),
    allHistory: optional(bool('true: a new member sees what was said before'), false),
  },
  reply: CreateRoomRes,
})

export const JoinRoom = clientMessage({
  type: 21,
  name: 'join_room',
  about: 'Becomes a member, for the first time or again.',
  allow: 'user',
  fields: { group },
})

export const LeaveRoom = clientMessage({
  type: 24,
  name: 'leave_room',
  about: 'Leaves a group. An owner hands the group over first, or dissolves it.',
  allow: 'user',
  fields: { group },
})

export const QueryRoomUsersResult = serverMessage({
  type: 115,
  name: 'query_room_users_result',
  about: 'The members of a group, by name.',
  fields: {
    members: list(
      'the members',
      {
        user: userName('name of the member'),
        nickname: line('shown to others', { max: 256 }),
        role: role('what the member may do'),
        online: bool('true while the member has a session'),
      },
      { max: 2000 },
    ),
  },
})

export const QueryRoomUsers = clientMessage({
  type: 23,
  name: 'query_room_users',
  about: 'Asks for the members of a group one is in.',
  allow: 'user',
  fields: { group },
  reply: QueryRoomUsersResult,
})

export const RoomList = serverMessage({
  type: 136,
  name: 'room_list',
  about: 'The groups of this user, by name.',
  fields: {
    groups: list(
      'the groups',
      {
        group,
        role: role('what the member may do'),
        members: uint16('how many there are'),
        open: bool('true: anyone may join'),
        unread: uint32('messages after the last one this user acknowledged, without the own ones'),
      },
      { max: 1000 },
    ),
  },
})

export const QueryRooms = clientMessage({
  type: 25,
  name: 'query_rooms',
  about: 'Asks for the groups of this user.',
  allow: 'user',
  fields: {},
  reply: RoomList,
})

export const InviteToRoom = clientMessage({
  type: 26,
  name: 'invite_to_room',
  about:
    'Lets a user join a group that is not open. Owner and admins may. Again while the invitation waits, nobody is told.',
  allow: 'user',
  fields: { group, user: userName('whom') },
})

export const RoomInvitation = serverMessage({
  type: 137,
  name: 'room_invitation',
  about: 'This user may now join that group. Comes once while the invitation waits.',
  fields: { group, by: userName('who invites') },
})

export const KickFromRoom = clientMessage({
  type: 27,
  name: 'kick_from_room',
  about: 'Ends a membership. The owner may for everyone else, admins for members.',
  allow: 'user',
  fields: { group, user: userName('whom') },
})

export const SetRoomRole = clientMessage({
  type: 28,
  name: 'set_room_role',
  about: 'Gives a member a role; the owner may. Making someone else the owner hands the group over.',
  allow: 'user',
  fields: { group, user: userName('whom'), role: role('what the member may do') },
})

export const RenameRoom = clientMessage({
  type: 29,
  name: 'rename_room',
  about: 'Gives the group another name; owner and admins may.',
  allow: 'user',
  fields: { group, name: groupName('the new name') },
})

export const DissolveRoom = clientMessage({
  type: 30,
  name: 'dissolve_room',
  about: 'Ends the group for all; the owner may.',
  allow: 'user',
  fields: { group },
})

export const JoinLeaveChatroom = serverMessage({
  type: 124,
  name: 'join_leave_chatroom',
  about: 'Something changed in a group of this user.',
  fields: {
    group: groupName('name of the group, before the change'),
    user: userName('whom it is about'),
    what: oneOf('what has changed', ['joined', 'left', 'kicked', 'role', 'renamed', 'dissolved']),
    value: line('the new role or the new name, otherwise empty', { max: 120 }),
  },
})

export const RoomUserOnOffLine = serverMessage({
  type: 116,
  name: 'room_user_on_off_line',
  about: 'A member’s first session began, or the last one ended; told every two seconds at most.',
  fields: { group, user: userName('name of the member'), online: bool('true: here') },
})

export const ChatroomMessage = clientMessage({
  type: 12,
  name: 'chatroom_message',
  about:
    'Sends a message to a group. It comes to the other members as on_new_message, of kind 4 and with the group’s name.',
  allow: 'user',
  fields: {
    group,
    text: text('the text, line breaks and all', { min: 1, max: MAX_TEXT }),
    clientId: optional(line('the sender’s own id of the message, as in send_message', { max: 64 }), ''),
    ...textStyle,
    hops: optional(uint8('as in send_message'), 0),
  },
  reply: MessageStored,
})

export const AcknowledgeRoom = clientMessage({
  type: 31,
  name: 'acknowledge_room',
  about: 'All messages of that group, up to that one, are read.',
  allow: 'user',
  fields: { group, upTo: uint64('id of the last message read') },
})

export const QueryRoomHistory = clientMessage({
  type: 32,
  name: 'query_room_history',
  about: 'Asks for the newest messages of a group one is in, as far back as one may see.',
  allow: 'user',
  fields: {
    group,
    before: optional(uint64('only messages with a lower id; 0: the newest'), 0),
    limit: optional(uint16('at most so many; 0: the server’s page'), 0),
  },
  reply: ChatHistory,
})
