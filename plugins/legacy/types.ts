/** Message types of the original that are supported. */
export const FROM_CLIENT = {
  login: 1,
  register: 2,
  addFriend: 4,
  answerRequest: 5,
  deleteFriend: 6,
  lists: 7,
  message: 11,
  groupMessage: 12,
  joinGroup: 21,
  createGroup: 22,
  groupMembers: 23,
  leaveGroup: 24,
  logout: 88,
} as const

export const TO_CLIENT = {
  loggedIn: 100,
  registered: 101,
  lists: 105,
  friendRequest: 106,
  friendResult: 107,
  groupCreated: 114,
  groupMembers: 115,
  message: 121,
  groupMessage: 122,
  groupJoined: 124,
  /** In the original only for a friend who cannot be deleted: the only dialog that shows a text of the server. */
  notice: 141,
  loginFailed: 201,
  nameTaken: 202,
  registrationFailed: 203,
  noSuchUser: 205,
} as const
