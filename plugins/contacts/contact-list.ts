import type { Knex } from 'knex'
import { type App, type Context, toLine, type ValuesOf } from '../../core/index.ts'
import {
  groupStates,
  type LastMessage,
  lastMessages,
  profileTimes,
  TurnBudget,
  type Unread,
  unreadByGroup,
  unreadBySender,
} from '../../db/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { friends } from '../friends/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { ContactChanged } from './messages.ts'
import type { Changes } from './watchers.ts'

const PREVIEW_CHARACTERS = 80
/** Room for 80 characters of one code point each; emoji of several may be fewer. */
const PREVIEW_BYTES = 400

export type Contact = ValuesOf<typeof ContactChanged>['contacts'][number]

type Needs = Context<
  undefined,
  { readonly friends: typeof friends; readonly messages: typeof privateMessages }
>['needs']

export interface ContactListParts {
  readonly app: App
  readonly db: Knex
  readonly accounts: Accounts
  readonly friends: Needs['friends']
  readonly conversations: Needs['messages']
}

type ById = ReadonlyMap<number, { readonly name: string; readonly nickname: string }>

/** All contact lists share a part of each turn of the event loop for their previews. */
const turns = new TurnBudget()

/** The newest message of a contact, with the beginning of its text. */
interface Last {
  readonly row: LastMessage
  readonly text: string
}

interface Loaded {
  readonly contacts: Contact[]
  /** Messages that the counts of unread ones have scanned. */
  readonly scanned: number
}

const NO_UNREAD: Unread = { counts: new Map(), scanned: 0 }

/** Reads contact lists: friends, groups, and other users with unread messages. */
export class ContactList {
  readonly #parts: ContactListParts

  constructor(parts: ContactListParts) {
    this.#parts = parts
  }

  /** Contacts of a user, by descending id of the last message. @param only these users and groups, if they are contacts */
  async load(userId: number, only?: Changes): Promise<Loaded> {
    const { db, accounts, friends, conversations } = this.#parts
    const { friends: known } = await friends.circleOf(userId)
    await conversations.readsSettled()
    const unread = only?.users.size === 0 ? NO_UNREAD : await unreadBySender(db, userId, only?.users)
    const userIds = [...new Set([...known.keys(), ...unread.counts.keys()])].filter((id) => only?.users.has(id) ?? true)
    const hasGroups = only?.groups.size !== 0
    const states = hasGroups ? await groupStates(db, userId, only?.groups) : []
    const unreadThere = hasGroups ? await unreadByGroup(db, userId, only?.groups) : NO_UNREAD
    const lastRows = await lastMessages(db, userId, userIds)
    const inGroups = new Map(states.flatMap(({ id, last }) => (last ? [[id, last] as const] : [])))
    const [last, lastInGroups] = [await withPreviews(lastRows), await withPreviews(inGroups)]
    const speakers = [...inGroups.values()].map(({ user_id }) => user_id)
    const byId: ById = await accounts.byIds([...userIds, userId, ...speakers])
    const changed = await profileTimes(db, userIds)
    const users = userIds.flatMap((id) => {
      const state = { friend: known.has(id), unread: unread.counts.get(id) ?? 0, profileAt: changed.get(id) ?? 0 }
      return this.#user(id, state, last.get(id), byId)
    })
    const groups = states.map(({ id, name }) => ({
      kind: 4,
      id,
      name,
      nickname: '',
      friend: false,
      online: false,
      unread: unreadThere.counts.get(id) ?? 0,
      ...lastOf(lastInGroups.get(id), byId),
      profileAt: 0,
    }))
    const contacts = [...users, ...groups].sort((a, b) => b.lastId - a.lastId || (a.name < b.name ? -1 : 1))
    return { contacts, scanned: unread.scanned + unreadThere.scanned }
  }

  #user(
    id: number,
    state: Pick<Contact, 'friend' | 'unread' | 'profileAt'>,
    last: Last | undefined,
    byId: ById,
  ): Contact[] {
    const account = byId.get(id)
    if (account === undefined) return []
    const { name, nickname } = account
    // Only friends may learn that a user is online.
    const online = state.friend && this.#parts.app.presence.isOnline(id)
    return [{ kind: 1, id, name, nickname, online, ...state, ...lastOf(last, byId) }]
  }
}

async function withPreviews(rows: ReadonlyMap<number, LastMessage>): Promise<Map<number, Last>> {
  const found = new Map<number, Last>()
  for (const [id, row] of rows) {
    await turns.yieldIfSpent()
    found.set(id, { row, text: firstCharacters(row.beginning) })
  }
  return found
}

function lastOf(last: Last | undefined, byId: ById) {
  if (last === undefined) return { lastId: 0, lastFrom: '', lastAt: 0, lastText: '' }
  const { row, text } = last
  return {
    lastId: row.id,
    lastFrom: byId.get(row.user_id)?.name ?? `#${row.user_id}`,
    lastAt: row.send_time,
    lastText: text,
  }
}

const graphemes = new Intl.Segmenter()

/** Each character is a grapheme cluster: no segmentation, which takes most of the time of a list. */
const PLAIN = /^[ -~]*$/

/** The first grapheme clusters: an emoji of several code points is not cut in two. */
function firstCharacters(text: string): string {
  // A cluster that reaches the end of this part is longer than the preview and is left out, as in the whole text.
  const beginning = text.slice(0, PREVIEW_BYTES + 1)
  if (PLAIN.test(beginning)) return beginning.slice(0, PREVIEW_CHARACTERS)
  let [length, bytes, count] = [0, 0, 0]
  for (const { segment } of graphemes.segment(beginning)) {
    bytes += Buffer.byteLength(segment)
    if (++count > PREVIEW_CHARACTERS || bytes > PREVIEW_BYTES) break
    length += segment.length
  }
  return toLine(beginning.slice(0, length), PREVIEW_BYTES)
}
