import {
  bool,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'

const nickname = line('display name', { max: 256 })

export const QueryFriendList = serverMessage({
  type: 105,
  name: 'query_friend_list',
  about: 'The friends of this user, ordered by name.',
  fields: {
    friends: list(
      'the friends',
      {
        user: userName('name of the friend'),
        nickname,
        online: bool('true while the friend has a session'),
        since: uint64('start of the friendship, milliseconds since 1970 UTC'),
      },
      { max: 2000 },
    ),
  },
})

export const FriendList = clientMessage({
  type: 3,
  name: 'friend_list',
  about: 'Requests the friends of this user.',
  allow: 'user',
  fields: {},
  reply: QueryFriendList,
})

export const AddFriend = clientMessage({
  type: 4,
  name: 'add_friend',
  about: 'Sends a friend request. If the other user has sent one to this user, accepts it instead.',
  allow: 'user',
  fields: {
    user: userName('name of the other user'),
    note: optional(line('note to the other user', { max: 200 }), ''),
  },
})

export const AddFriendRequest = serverMessage({
  type: 106,
  name: 'add_friend_request',
  about: 'Another user sent a friend request. Pushed at once, and again after each receive until it is answered.',
  fields: {
    user: userName('name of the sender of the request'),
    nickname,
    note: line('note of the sender', { max: 256 }),
    sentAt: uint64('time of the request, milliseconds since 1970 UTC'),
  },
})

export const ConfirmFriendRequest = clientMessage({
  type: 5,
  name: 'confirm_friend_request',
  about: 'Accepts or rejects a friend request.',
  allow: 'user',
  fields: { user: userName('name of the sender of the request'), accept: bool('true accepts, false rejects') },
})

export const AddFriendResult = serverMessage({
  type: 107,
  name: 'add_friend_result',
  about: 'A friend request was answered. Pushed to all sessions of both users.',
  fields: { user: userName('name of the other user'), nickname, accepted: bool('true: accepted; false: rejected') },
})

export const DeleteFriend = clientMessage({
  type: 6,
  name: 'delete_friend',
  about: 'Ends a friendship, for both users. Their messages are kept.',
  allow: 'user',
  fields: { user: userName('name of the friend') },
})

export const FriendDeleted = serverMessage({
  type: 133,
  name: 'friend_deleted',
  about: 'A friendship has ended. Pushed to all sessions of both users.',
  fields: { user: userName('name of the other user') },
})

export const FriendRequests = serverMessage({
  type: 134,
  name: 'friend_requests',
  about: 'Friend requests without an answer.',
  fields: {
    requests: list(
      'the requests, oldest first',
      {
        user: userName('name of the other user'),
        nickname,
        incoming: bool('true: sent to this user; false: sent by this user'),
        note: line('note of the sender', { max: 256 }),
        sentAt: uint64('time of the request, milliseconds since 1970 UTC'),
      },
      { max: 1000 },
    ),
  },
})

export const QueryFriendRequests = clientMessage({
  type: 17,
  name: 'query_friend_requests',
  about: 'Requests the friend requests of and to this user that have no answer yet.',
  allow: 'user',
  fields: {},
  reply: FriendRequests,
})

export const BlockUser = clientMessage({
  type: 18,
  name: 'block_user',
  about:
    'Blocks a user: their messages, friend requests and invitations are refused. Ends a friendship, open requests and invitations.',
  allow: 'user',
  fields: { user: userName('name of the user') },
})

export const UnblockUser = clientMessage({
  type: 19,
  name: 'unblock_user',
  about: 'Ends a block. The friendship is not restored.',
  allow: 'user',
  fields: { user: userName('name of the user') },
})

export const BlockedUsers = serverMessage({
  type: 135,
  name: 'blocked_users',
  about: 'The users that this user has blocked.',
  fields: {
    users: list('the users', { user: userName('name of the user'), id: uint32('id of the user') }, { max: 2000 }),
  },
})

export const QueryBlockedUsers = clientMessage({
  type: 20,
  name: 'query_blocked_users',
  about: 'Requests the users that this user has blocked.',
  allow: 'user',
  fields: {},
  reply: BlockedUsers,
})

export const FriendOnOffLine = serverMessage({
  type: 108,
  name: 'friend_on_off_line',
  about:
    'A friend came online (first session) or went offline (last session ended). Pushed at most every 2 s per friend.',
  fields: { user: userName('name of the friend'), online: bool('true: online; false: offline') },
})
