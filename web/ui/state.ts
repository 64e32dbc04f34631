import { batch, computed, effect, signal, untracked } from '@preact/signals'
import {
  type Contact,
  type FriendRequest,
  type Growing,
  type Invitation,
  isGroup,
  type Key,
  type Status,
  type Unsent,
} from '../shared/model.ts'
import type { GroupChange, WorkerEvent } from '../shared/protocol.ts'
import { announceMessage } from './announce.ts'
import { Conversation } from './conversation.ts'
import { errorText } from './i18n.ts'
import { addProfiles, forgetProfiles } from './profiles.ts'
import { setProgress } from './progress.ts'
import { setWriting } from './typing.ts'

export const status = signal<Status | undefined>(undefined)
export const contacts = signal<ReadonlyMap<Key, Contact>>(new Map())
export const unsent = signal<readonly Unsent[]>([])
export const requests = signal<readonly FriendRequest[]>([])
export const invitations = signal<readonly Invitation[]>([])
/** Messages whose text grows, by stream. */
export const growing = signal<ReadonlyMap<number, Growing & { readonly key: Key }>>(new Map())
/** The latest change of a group, for those who show its members. */
export const groupChange = signal<{ readonly key: Key; readonly change: GroupChange } | undefined>(undefined)
/** A short message at the edge of the page. */
export const toast = signal('')

export const me = computed(() => status.value?.me)
export const unread = computed(() => [...contacts.value.values()].reduce((sum, contact) => sum + contact.unread, 0))
/** Requests and invitations that wait for this user. */
export const waiting = computed(
  () => requests.value.filter(({ incoming }) => incoming).length + invitations.value.length,
)

const keyInAddress = () => decodeURIComponent(location.hash.slice(2)) || undefined
/** The conversation that is open, as the address says: it can be bookmarked, and the back button closes it. */
export const openKey = signal<Key | undefined>(keyInAddress())
addEventListener('hashchange', () => {
  openKey.value = keyInAddress()
})

export function open(key: Key | undefined) {
  location.hash = key === undefined ? '' : `/${encodeURIComponent(key)}`
  openKey.value = key
}

/** Opens a conversation at a message. */
export function openAt(key: Key, id: number) {
  open(key)
  conversation.value = new Conversation(key, id)
}

export const conversation = signal<Conversation | undefined>(undefined)
const user = computed(() => me.value?.user)
/** A group can be read once the contact list says its name. */
const isOpenable = computed(() => {
  const key = openKey.value
  return user.value !== undefined && key !== undefined && (!isGroup(key) || contacts.value.has(key))
})
effect(() => {
  const key = isOpenable.value ? openKey.value : undefined
  conversation.value = key === undefined ? undefined : untracked(() => new Conversation(key))
})

/** Shows a failure of an action that the user has begun. @returns whether it succeeded */
export async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    toast.value = errorText(error)
    return false
  }
}

/** The server lists strangers only while they have unread messages; here they stay until the page is loaded again. */
function forget(list: Map<Key, Contact>, key: Key) {
  const contact = list.get(key)
  if (contact === undefined || contact.friend || isGroup(key)) list.delete(key)
  else list.set(key, { ...contact, unread: 0 })
}

/** A user was blocked. */
export function dropContact(key: Key) {
  contacts.value = new Map([...contacts.value].filter(([other]) => other !== key))
  if (openKey.value === key) open(undefined)
}

type Handlers = { readonly [T in WorkerEvent['type']]: (event: Extract<WorkerEvent, { type: T }>) => void }

const openOf = (key: Key) => (conversation.value?.key === key ? conversation.value : undefined)

const handlers: Handlers = {
  status: (event) => {
    if (event.status.me?.user !== me.value?.user) forgetProfiles()
    status.value = event.status
  },
  contacts: (event) => {
    contacts.value = new Map(event.contacts.map((contact) => [contact.key, contact]))
  },
  contactsChanged: ({ changed, gone }) => {
    const next = new Map(contacts.value)
    for (const contact of changed) next.set(contact.key, contact)
    for (const key of gone) forget(next, key)
    contacts.value = next
  },
  requests: (event) => {
    requests.value = event.requests
  },
  invitations: (event) => {
    invitations.value = event.invitations
  },
  unsent: (event) => {
    unsent.value = event.unsent
  },
  messages: ({ key, messages }) => {
    openOf(key)?.receive(messages)
    for (const { from } of messages) setWriting(key, from, false)
    for (const message of messages) announceMessage(message, contacts.value.get(key))
  },
  sent: ({ clientId, message }) =>
    batch(() => {
      unsent.value = unsent.value.filter((other) => other.clientId !== clientId)
      openOf(message.key)?.receive([message])
    }),
  recalled: ({ id }) => conversation.value?.recalled(id),
  edited: ({ id, text, editedAt }) => conversation.value?.edited(id, text, editedAt),
  reacted: ({ reaction }) => conversation.value?.reacted(reaction),
  reactions: ({ ids, reactions }) => conversation.value?.showReactions(ids, reactions),
  receipt: ({ key, upTo }) => openOf(key)?.receipt(upTo),
  groupChanged: (event) => {
    groupChange.value = event
  },
  friendAnswered: () => {},
  progress: ({ of, share }) => setProgress(of, share),
  growing: ({ key, stream, growing: latest }) => {
    const next = new Map(growing.value)
    if (latest === undefined) next.delete(stream)
    else next.set(stream, { ...latest, key })
    growing.value = next
  },
  typing: ({ key, from, state }) => setWriting(key, from, state),
  profile: ({ profile }) => addProfiles([profile]),
  resynced: () => void conversation.value?.load(),
}

export function onWorkerEvent<T extends WorkerEvent['type']>(event: Extract<WorkerEvent, { type: T }>) {
  const handle: (event: Extract<WorkerEvent, { type: T }>) => void = handlers[event.type]
  handle(event)
}
