import type {
  CallFailure,
  Contact,
  Device,
  FriendRequest,
  Group,
  Growing,
  Invitation,
  Key,
  Member,
  Message,
  NewFile,
  Profile,
  Reaction,
  Status,
  Style,
  Unsent,
} from './model.ts'

/** A place in a conversation: the newest messages, or those at an id. */
export interface HistoryQuery {
  readonly key: Key
  readonly before?: number | undefined
  readonly after?: number | undefined
  readonly around?: number | undefined
  /** More pages, back to the first unread message. */
  readonly untilRead?: boolean
}

export interface HistoryPage {
  /** Ascending by id. */
  readonly messages: Message[]
  /** Whether there is more in the direction that was asked for; with `around`, older ones. */
  readonly more: boolean
  /** Newer messages may exist. */
  readonly hasNewer: boolean
}

export interface SearchQuery {
  readonly text: string
  readonly key?: Key | undefined
  readonly before?: number | undefined
}

export interface SearchPage {
  readonly messages: Message[]
  readonly more: boolean
  /** `before` of the next page. */
  readonly searchedTo: number
}

export interface NewMessage {
  readonly key: Key
  readonly text: string
  readonly style: Style
  /** Id of the message that it answers. */
  readonly replyTo?: number | undefined
  readonly file?: NewFile | undefined
}

export interface ContentQuery {
  /** Id of the file. */
  readonly file: number
  readonly variant: 'original' | 'preview'
}

/** Calls of a view to the worker, by name. All are asynchronous. */
export interface Calls {
  reconnect(): void
  trustNewKey(): void
  register(argument: { user: string; password: string; nickname: string }): void
  login(argument: { user: string; password: string }): void
  logout(): void
  changePassword(argument: { old: string; new: string }): void
  devices(): Device[]
  revokeDevice(argument: { device: number }): void
  send(argument: NewMessage): void
  retry(argument: { clientId: string }): void
  discard(argument: { clientId: string }): void
  /** Ends the upload of a message's file, and drops the message. */
  cancel(argument: { clientId: string }): void
  /** Content of a file; its media type is not set. */
  content(argument: ContentQuery): Blob
  stopContent(argument: { file: number }): void
  history(argument: HistoryQuery): HistoryPage
  search(argument: SearchQuery): SearchPage
  /** The user is writing, to be repeated while it goes on. */
  typing(argument: { key: Key; state: boolean }): void
  profiles(argument: { users: string[] }): Profile[]
  setProfile(argument: { avatar: string; about: string }): void
  read(argument: { key: Key; upTo: number }): void
  recall(argument: { id: number }): void
  edit(argument: { id: number; text: string }): void
  react(argument: { id: number; emoji: string; remove: boolean }): void
  /** Reactions to at most 50 messages. */
  reactions(argument: { ids: number[] }): Reaction[]
  addFriend(argument: { user: string; note: string }): void
  answerFriend(argument: { user: string; accept: boolean }): void
  deleteFriend(argument: { user: string }): void
  block(argument: { user: string }): void
  unblock(argument: { user: string }): void
  blocked(): string[]
  groups(): Group[]
  members(argument: { key: Key }): Member[]
  createGroup(argument: { group: string; open: boolean; allHistory: boolean }): { key: Key }
  joinGroup(argument: { group: string }): void
  leaveGroup(argument: { key: Key }): void
  renameGroup(argument: { key: Key; name: string }): void
  dissolveGroup(argument: { key: Key }): void
  invite(argument: { key: Key; user: string }): void
  declineInvitation(argument: { group: string }): void
  kick(argument: { key: Key; user: string }): void
  setRole(argument: { key: Key; user: string; role: Member['role'] }): void
}

export type CallName = keyof Calls
export type ArgumentOf<N extends CallName> = Parameters<Calls[N]>[0]
export type ResultOf<N extends CallName> = ReturnType<Calls[N]>

/** Pushes of the worker to every view. */
export type WorkerEvent =
  | { readonly type: 'status'; readonly status: Status }
  /** Replaces what the view knows of the user's contacts. */
  | { readonly type: 'contacts'; readonly contacts: Contact[] }
  | { readonly type: 'contactsChanged'; readonly changed: Contact[]; readonly gone: Key[] }
  | { readonly type: 'requests'; readonly requests: FriendRequest[] }
  | { readonly type: 'invitations'; readonly invitations: Invitation[] }
  | { readonly type: 'unsent'; readonly unsent: Unsent[] }
  /** New messages of others. */
  | { readonly type: 'messages'; readonly key: Key; readonly messages: Message[] }
  /** How far the upload of an unsent message is, or the download of the file `file ID`: 0 to 1. */
  | { readonly type: 'progress'; readonly of: string; readonly share: number }
  /** The server has stored a message of this browser. */
  | { readonly type: 'sent'; readonly clientId: string; readonly message: Message }
  | { readonly type: 'recalled'; readonly id: number }
  | { readonly type: 'edited'; readonly id: number; readonly text: string; readonly editedAt: number }
  /** The count of an emoji on a message has changed; `own` only if this user changed it. */
  | { readonly type: 'reacted'; readonly reaction: Omit<Reaction, 'own'> & { readonly own?: boolean } }
  /** All reactions to these messages. */
  | { readonly type: 'reactions'; readonly ids: number[]; readonly reactions: Reaction[] }
  /** The other user has read the user's messages. */
  | { readonly type: 'receipt'; readonly key: Key; readonly upTo: number }
  /** Somebody joined, left or changed a group. */
  | { readonly type: 'groupChanged'; readonly key: Key; readonly change: GroupChange }
  | { readonly type: 'friendAnswered'; readonly user: string; readonly accepted: boolean }
  /** The text of a message grows; without `growing`, it has ended. */
  | { readonly type: 'growing'; readonly key: Key; readonly stream: number; readonly growing?: Growing }
  | { readonly type: 'typing'; readonly key: Key; readonly from: string; readonly state: boolean }
  | { readonly type: 'profile'; readonly profile: Profile }
  /** Messages may have been missed: conversations are loaded again. */
  | { readonly type: 'resynced' }

export interface GroupChange {
  readonly what: 'joined' | 'left' | 'kicked' | 'role' | 'renamed' | 'dissolved'
  readonly user: string
  readonly value: string
}

export interface CallRequest {
  readonly ref: number
  readonly name: CallName
  readonly argument: unknown
}

export type FromWorker =
  | { readonly event: WorkerEvent }
  | { readonly ref: number; readonly result: unknown }
  | { readonly ref: number; readonly failure: CallFailure }
