import type { Client } from '../../client/client.ts'
import type { ValuesOf } from '../../core/wire/index.ts'
import { ContactChanged, ContactGone, QueryContacts } from '../../plugins/contacts/messages.ts'
import { type Contact, groupKey, type Key, userKey } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'

type WireContact = ValuesOf<typeof ContactChanged>['contacts'][number]

const GROUP = 4

const toContact = ({ kind, ...contact }: WireContact): Contact => ({
  ...contact,
  key: kind === GROUP ? groupKey(contact.id) : userKey(contact.name),
})

/** The contact list, kept current by the server's pushes. */
export class Roster {
  readonly #client: Client
  readonly #emit: (event: WorkerEvent) => void
  #contacts = new Map<Key, Contact>()
  /** Changes pushed while the list is being read: they are newer than its pages. */
  readonly #changes = new Map<Key, Contact | undefined>()

  constructor(client: Client, emit: (event: WorkerEvent) => void) {
    this.#client = client
    this.#emit = emit
    client.on(ContactChanged, ({ contacts }) => {
      const changed = contacts.map(toContact)
      for (const contact of changed) this.#set(contact.key, contact)
      emit({ type: 'contactsChanged', changed, gone: [] })
    })
    client.on(ContactGone, ({ kind, id }) => {
      const gone = this.all.filter((contact) => contact.id === id && contact.key.startsWith('#') === (kind === GROUP))
      for (const { key } of gone) this.#set(key, undefined)
      emit({ type: 'contactsChanged', changed: [], gone: gone.map(({ key }) => key) })
    })
  }

  get all(): Contact[] {
    return [...this.#contacts.values()]
  }

  /** Id of the newest message of all conversations. */
  get newestId(): number {
    return this.all.reduce((newest, { lastId }) => Math.max(newest, lastId), 0)
  }

  async load() {
    this.#changes.clear()
    const loaded = new Map<Key, Contact>()
    for (let skip = 0, more = true; more; ) {
      const page = await this.#client.request(QueryContacts, { skip, watch: true })
      for (const contact of page.contacts) loaded.set(toContact(contact).key, toContact(contact))
      skip += page.contacts.length
      more = page.more && page.contacts.length > 0
    }
    this.#contacts = loaded
    for (const [key, contact] of this.#changes) apply(loaded, key, contact)
    this.#emit({ type: 'contacts', contacts: this.all })
  }

  #set(key: Key, contact: Contact | undefined) {
    this.#changes.set(key, contact)
    apply(this.#contacts, key, contact)
  }

  /** Key of a group by its name; undefined if the user is no member. */
  groupNamed(name: string): Key | undefined {
    return this.all.find((contact) => contact.key.startsWith('#') && contact.name === name)?.key
  }

  /** Name of a user or group on the wire. @throws Error for a group that the user has left */
  nameOf(key: Key): string {
    if (!key.startsWith('#')) return key.slice(1)
    const name = this.#contacts.get(key)?.name
    if (name === undefined) throw new Error('you are not a member of this group')
    return name
  }
}

function apply(contacts: Map<Key, Contact>, key: Key, contact: Contact | undefined) {
  if (contact === undefined) contacts.delete(key)
  else contacts.set(key, contact)
}
