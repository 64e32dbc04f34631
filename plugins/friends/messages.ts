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

const nickname = line('shown to others', { max: 256 })

export const QueryFriendList = serverMessage({
  type: 105,
  name: 'query_friend_list',
  about: 'The user’s friends, by name.',
  fields: {
    friends: list(
      'the friends',
      {
        user: userName('name of the friend'),
        nickname,
        online: bool('true while the friend has a session'),
        since: uint64('when the friendship began, milliseconds since 1970 UTC'),
      },
      { max: 2000 },
    ),
  },
})

export const FriendList = clientMessage({
  type: 3,
  name: 'friend_list',
  about: 'Asks for the friends of this user.',
  allow: 'user',
  fields: {},
  reply: QueryFriendList,
})

export const AddFriend = clientMessage({
  type: 4,
  name: 'add_friend',
  about: 'Asks another user to be a friend. Where that one has asked already, it is a yes.',
  allow: 'user',
  fields: {
    user: userName('name of the other user'),
    note: optional(line('a word to go with it', { max: 200 }), ''),
  },
})

export const AddFriendRequest = serverMessage({
  type: 106,
  name: 'add_friend_request',
  about: 'Someone asks to be a friend. Comes at once, and again after each receive until it is answered.',
  fields: {
    user: userName('name of the one who asks'),
    nickname,
    note: line('a word that came with it', { max: 256 }),
    sentAt: uint64('when it was asked, milliseconds since 1970 UTC'),
  },
})

export const ConfirmFriendRequest = clientMessage({
  type: 5,
  name: 'confirm_friend_request',
  about: 'Answers a request.',
  allow: 'user',
  fields: { user: userName('name of the one who asked'), accept: bool('true makes both friends, false refuses') },
})

export const AddFriendResult = serverMessage({
  type: 107,
  name: 'add_friend_result',
  about: 'A request was answered; told to all sessions of both.',
  fields: { user: userName('name of the other one'), nickname, accepted: bool('true: friends now') },
})

export const DeleteFriend = clientMessage({
  type: 6,
  name: 'delete_friend',
  about: 'Ends a friendship, for both. What was said stays.',
  allow: 'user',
  fields: { user: userName('name of the friend') },
})

export const FriendDeleted = serverMessage({
  type: 133,
  name: 'friend_deleted',
  about: 'A friendship has ended; told to all sessions of both.',
  fields: { user: userName('name of the other one') },
})

export const FriendRequests = serverMessage({
  type: 134,
  name: 'friend_requests',
  about: 'Requests that wait for an answer.',
  fields: {
    requests: list(
      'the requests, oldest first',
      {
        user: userName('name of the other one'),
        nickname,
        incoming: bool('true: this user is asked; false: this user asked'),
        note: line('a word that came with it', { max: 256 }),
        sentAt: uint64('milliseconds since 1970 UTC'),
      },
      { max: 1000 },
    ),
  },
})

export const QueryFriendRequests = clientMessage({
  type: 17,
  name: 'query_friend_requests',
  about: 'Asks for the requests of and to this user that wait for an answer.',
  allow: 'user',
  fields: {},
  reply: FriendRequests,
})

export const BlockUser = clientMessage({
  type: 18,
  name: 'block_user',
  about:
    'Takes nothing more from that user: no messages, requests or invitations. Ends a friendship, open requests and invitations.',
  allow: 'user',
  fields: { user: userName('name of the user') },
})

export const UnblockUser = clientMessage({
  type: 19,
  name: 'unblock_user',
  about: 'Takes back block_user. The friendship does not come back by itself.',
  allow: 'user',
  fields: { user: userName('name of the user') },
})

export const BlockedUsers = serverMessage({
  type: 135,
  name: 'blocked_users',
  about: 'Users that this one has blocked.',
  fields: {
    users: list('the users', { user: userName('name of the user'), id: uint32('number of the user') }, { max: 2000 }),
  },
})

export const QueryBlockedUsers = clientMessage({
  type: 20,
  name: 'query_blocked_users',
  about: 'Asks for the users that this one has blocked.',
  allow: 'user',
  fields: {},
  reply: BlockedUsers,
})

export const FriendOnOffLine = serverMessage({
  type: 108,
  name: 'friend_on_off_line',
  about: 'A friend’s first session began, or the last one ended; told every two seconds at most.',
  fields: { user: userName('name of the friend'), online: bool('true: here') },
})
