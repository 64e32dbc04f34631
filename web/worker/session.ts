import type { Client } from '../../client/client.ts'
import { RevokeDevice } from '../../plugins/devices/messages.ts'
import { JoinLeaveChatroom } from '../../plugins/groups/messages.ts'
import { ConversationRead } from '../../plugins/messages/messages.ts'
import { ProfileChanged, QueryProfiles, SetProfile } from '../../plugins/profiles/messages.ts'
import { Typing, UserTyping } from '../../plugins/typing/messages.ts'
import { isGroup, type Key, MAX_SHOWN, type Me, type Message, userKey } from '../shared/model.ts'
import type { HistoryPage, HistoryQuery, SearchPage, SearchQuery, WorkerEvent } from '../shared/protocol.ts'
import { Changes } from './changes.ts'
import { Feed } from './feed.ts'
import { Log } from './log.ts'
import { toMessage } from './messages.ts'
import { Outbox } from './outbox.ts'
import { Requests } from './requests.ts'
import { retryWhileConnected } from './retry.ts'
import { Roster } from './roster.ts'
import { followStreams } from './streams.ts'
import { Transfers } from './transfers.ts'

/** Messages in one page of history. */
const PAGE = 50

/** Pages that are looked through for the first unread message, besides those that are shown. */
const MAX_UNREAD_PAGES = 100

/** Whether a message does not end the run of unread ones: the user's own are never unread. */
const isUnread = ({ mine, unread }: Message) => mine || unread

/** What a logged-in user sees: contacts, requests, conversations and unsent messages. */
export class Session {
  readonly client: Client
  readonly me: Me
  readonly roster: Roster
  readonly requests: Requests
  readonly outbox: Outbox
  readonly transfers: Transfers
  readonly changes: Changes
  readonly #feed: Feed
  readonly #log: Log
  readonly #emit: (event: WorkerEvent) => void

  constructor(client: Client, me: Me, emit: (event: WorkerEvent) => void) {
    this.client = client
    this.me = me
    this.#emit = emit
    this.roster = new Roster(client, emit)
    const onGap = () => void this.resync()
    this.requests = new Requests({ client, emit, onGap })
    this.changes = new Changes(client, me, emit)
    this.#log = new Log(client, this.changes, emit)
    this.#feed = new Feed({ client, me, roster: this.roster, log: this.#log, emit, onGap })
    this.transfers = new Transfers(client, emit)
    const { transfers } = this
    this.outbox = new Outbox({ client, me, transfers, nameOf: (key) => this.roster.nameOf(key), emit })
    client.on(ConversationRead, ({ reader, from, group, upTo }) => {
      if (group === '' && from === me.user && reader !== me.user) emit({ type: 'receipt', key: userKey(reader), upTo })
    })
    client.on(JoinLeaveChatroom, ({ group, ...change }) => {
      const key = this.roster.groupNamed(group)
      if (key !== undefined) emit({ type: 'groupChanged', key, change })
    })
    this.#listenToOthers()
  }

  #listenToOthers() {
    this.client.on(UserTyping, ({ from, group, state }) => {
      const key = group === '' ? userKey(from) : this.roster.groupNamed(group)
      if (key !== undefined) this.#emit({ type: 'typing', key, from, state })
    })
    this.client.on(ProfileChanged, (profile) => this.#emit({ type: 'profile', profile }))
  }

  snapshot(): WorkerEvent[] {
    return [
      { type: 'contacts', contacts: this.roster.all },
      ...this.requests.snapshot(),
      { type: 'unsent', unsent: this.outbox.unsent },
    ]
  }

  async start() {
    await this.roster.load()
    await this.#feed.subscribe()
    await this.requests.load()
    await followStreams(this.client, (place) => this.#keyOf(place), this.#emit)
    await this.outbox.start()
  }

  /** Catches up after a reconnect: the server's pushes of the meantime are lost. */
  async resync() {
    const isDone = await retryWhileConnected(async () => {
      await this.#log.catchUp()
      await this.roster.load()
      await this.#feed.subscribe()
      await this.requests.load()
    })
    if (isDone) this.#emit({ type: 'resynced' })
  }

  async close() {
    this.outbox.stop()
    await this.client.close()
  }

  async revoke(device: number) {
    await this.client.request(RevokeDevice, { device })
  }

  async history({ key, before, after, around, untilRead = false }: HistoryQuery): Promise<HistoryPage> {
    if (untilRead) return this.#historyUntilRead(key)
    const page = await this.#page(key, { before, after, around })
    return { ...page, hasNewer: after === undefined ? around !== undefined : page.more }
  }

  /** The newest messages back to the first unread one; if they are too many, those around it. */
  async #historyUntilRead(key: Key): Promise<HistoryPage> {
    let { messages, more } = await this.#page(key, {})
    const isAllUnread = () => more && messages.every(isUnread)
    while (isAllUnread() && messages.length + PAGE <= MAX_SHOWN) {
      const older = await this.#page(key, { before: messages[0]?.id })
      messages = [...older.messages, ...messages]
      more = older.more
    }
    if (!isAllUnread()) return { messages, more, hasNewer: false }
    for (let pages = 0; isAllUnread() && pages < MAX_UNREAD_PAGES; pages++)
      ({ messages, more } = await this.#page(key, { before: messages[0]?.id }))
    const first = messages.findLast((message) => !isUnread(message)) ?? messages[0]
    return { ...(await this.#page(key, { around: first?.id })), hasNewer: true }
  }

  async #page(key: Key, { before = 0, after = 0, around = 0 }: Omit<HistoryQuery, 'key'>) {
    const query = { before, after, around, limit: PAGE }
    const name = this.roster.nameOf(key)
    const page = isGroup(key) ? await this.client.groupHistory(name, query) : await this.client.history(name, query)
    return { more: page.more, messages: page.messages.map((message) => toMessage(message, key, this.me)) }
  }

  async search({ text, key, before = 0 }: SearchQuery): Promise<SearchPage> {
    const within = key === undefined ? {} : { [isGroup(key) ? 'group' : 'with']: this.roster.nameOf(key) }
    const { more, searchedTo, messages } = await this.client.search(text, { before, limit: PAGE, ...within })
    const found = messages.flatMap((message) => {
      const place = this.#keyOf({ from: message.from, to: message.to ?? '', group: message.group ?? '' })
      return place === undefined ? [] : [toMessage(message, place, this.me)]
    })
    return { more, searchedTo, messages: found }
  }

  async typing({ key, state }: { key: Key; state: boolean }) {
    const name = this.roster.nameOf(key)
    await this.client.request(Typing, isGroup(key) ? { group: name, state } : { to: name, state })
  }

  async profiles(users: readonly string[]) {
    const list = users.map((user) => ({ user }))
    return (await this.client.request(QueryProfiles, { users: list })).profiles
  }

  /** The server tells the other sessions of the user, not this one. */
  async setProfile(profile: { avatar: string; about: string }) {
    await this.client.request(SetProfile, profile)
    const [own] = await this.profiles([this.me.user])
    if (own !== undefined) this.#emit({ type: 'profile', profile: own })
  }

  async read({ key, upTo: id }: { key: Key; upTo: number }) {
    const name = this.roster.nameOf(key)
    await this.client.acknowledge(isGroup(key) ? { from: '', group: name, id } : { from: name, id })
  }

  #keyOf({ from, to, group }: { from: string; to: string; group: string }): Key | undefined {
    if (group !== '') return this.roster.groupNamed(group)
    return userKey(from === this.me.user ? to : from)
  }
}
