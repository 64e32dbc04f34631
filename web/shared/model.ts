/** Key of a conversation: `@name` for a user, `#id` for a group, whose name may change. */
export type Key = string

export const userKey = (name: string): Key => `@${name}`
export const groupKey = (id: number): Key => `#${id}`
export const isGroup = (key: Key) => key.startsWith('#')

export interface Me {
  readonly id: number
  readonly user: string
  readonly nickname: string
}

export interface Contact {
  readonly key: Key
  readonly id: number
  /** Name of the user or group. */
  readonly name: string
  readonly nickname: string
  readonly friend: boolean
  readonly online: boolean
  readonly unread: number
  readonly lastId: number
  readonly lastFrom: string
  readonly lastAt: number
  readonly lastText: string
}

export interface Style {
  readonly font?: string | undefined
  readonly fontSize?: number | undefined
  readonly color?: string | undefined
}

/** Messages in the document at most: a long history must not make the page slow. */
export const MAX_SHOWN = 300

/** A file that a message carries. */
export interface AttachedFile {
  readonly id: number
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Media type, found by the server in the bytes. */
  readonly type: string
  /** Pixels of a picture. */
  readonly width?: number | undefined
  readonly height?: number | undefined
  /** Placeholder of a picture, base64 of a ThumbHash. */
  readonly thumbhash?: string | undefined
  /** Whether there is a small picture of it. */
  readonly preview: boolean
}

/** A file to be sent. */
export interface NewFile {
  readonly name: string
  readonly content: Blob
  /** A picture keeps what the camera wrote into it. */
  readonly keepMetadata: boolean
}

export interface Message {
  readonly id: number
  readonly key: Key
  readonly kind: string
  readonly from: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly sentAt: number
  readonly mine: boolean
  readonly unread: boolean
  readonly bot: boolean
  readonly style?: Style | undefined
  /** Id of the message of this conversation that it answers. */
  readonly replyTo?: number | undefined
  /** Time of the last edit, milliseconds since 1970. */
  readonly editedAt?: number | undefined
  readonly file?: AttachedFile | undefined
  /** Whether the text only names the file. */
  readonly isCaption: boolean
}

/** A message whose text grows; it becomes an ordinary one. */
export interface Growing {
  readonly stream: number
  readonly from: string
  readonly text: string
}

/** Users who reacted to a message with an emoji. */
export interface Reaction {
  readonly id: number
  readonly emoji: string
  readonly count: number
  /** Whether this user is one of them. */
  readonly own: boolean
}

/** A message that the server has not acknowledged yet. */
export interface Unsent {
  readonly clientId: string
  readonly user: string
  readonly key: Key
  /** Name of the recipient or group when it was written. */
  readonly to: string
  readonly text: string
  readonly style: Style
  readonly replyTo?: number | undefined
  readonly file?: NewFile | undefined
  readonly createdAt: number
  /** Why the server refused it; it is sent again only on request. */
  readonly refused?: CallFailure | undefined
}

export interface FriendRequest {
  readonly user: string
  readonly nickname: string
  readonly incoming: boolean
  readonly note: string
  readonly sentAt: number
}

export interface Invitation {
  readonly group: string
  /** Name of the inviting member; empty if it is not known. */
  readonly by: string
  readonly invitedAt: number
}

export interface Member {
  readonly user: string
  readonly nickname: string
  readonly role: 'owner' | 'admin' | 'member'
  readonly online: boolean
}

export interface Group {
  readonly group: string
  readonly role: Member['role']
  readonly members: number
  readonly open: boolean
}

/** A browser that may log in as the user. */
export interface Device {
  readonly device: number
  readonly name: string
  readonly addedAt: number
  readonly usedAt: number
  /** Whether it is the device of this page. */
  readonly current: boolean
}

/** How a user is drawn: numbers of parts and colours, see `ui/avatar-art.ts`. */
export type Dress = Readonly<Record<string, number>>

export interface Profile {
  readonly user: string
  readonly nickname: string
  /** Text of the network that may be anything. */
  readonly avatar: string
  readonly about: string
  readonly changedAt: number
}

/** Failure of a call, for `messageOf` of the interface. */
export interface CallFailure {
  /** Code of ClientError; `refused` has the server's `failure`. */
  readonly code: string
  readonly failure: string
  readonly text: string
  readonly retryAfter: number
}

/**
 * `start`: the server's key is not known yet. `key_changed`: another key than the pinned one. `anonymous`: nobody is
 * logged in. `ready`: logged in; `online` tells whether there is a connection.
 */
export type Phase = 'start' | 'unreachable' | 'key_changed' | 'anonymous' | 'ready'

export interface Status {
  readonly phase: Phase
  readonly online: boolean
  /** The server's key, and the pinned one if it is another. */
  readonly key: string
  readonly pinned: string
  readonly me?: Me | undefined
  /** Why the last session ended. */
  readonly ended?: CallFailure | undefined
}
