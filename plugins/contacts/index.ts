import { ALONE, definePlugin, type UserSession } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { changes } from '../changes/index.ts'
import { friends } from '../friends/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { chargeCount } from '../messages/unread.ts'
import { profiles } from '../profiles/index.ts'
import { watchChanges } from './changes.ts'
import { ContactList } from './contact-list.ts'
import * as messages from './messages.ts'
import { type Changes, Watchers } from './watchers.ts'

const { ContactChanged, ContactGone, ContactInfo, QueryContacts } = messages

const CONTACTS_PER_PACKET = ContactInfo.fields.contacts.max

/** The contact list in one message, and its changes: friends and groups with unread counts, last message and presence. */
export const contacts = definePlugin({
  name: 'contacts',
  messages,
  needs: { accounts, changes, messages: privateMessages, friends, groups, profiles },
  setup(app, { needs: { accounts, changes: feed, messages, friends }, db, log }) {
    const contactList = new ContactList({ app, db, accounts, friends, conversations: messages })

    const notify = async (userId: number, sessions: Iterable<UserSession>, changes: Changes) => {
      // Another node has told of the change, which this one may not have read.
      if (app.cluster !== ALONE) await feed.catchUp()
      const { contacts: list } = await contactList.load(userId, changes)
      const gone = goneFrom(list, changes)
      for (const session of sessions) {
        for (let at = 0; at < list.length; at += CONTACTS_PER_PACKET)
          session.send(ContactChanged, { contacts: list.slice(at, at + CONTACTS_PER_PACKET) })
        for (const contact of gone) session.send(ContactGone, contact)
      }
    }
    const watchers = new Watchers(app.clock, notify, (error) =>
      log.warn({ err: error }, 'cannot push changed contacts'),
    )
    app.onStop(() => watchers.stop())
    watchChanges({ app, friends, conversations: messages, watchers })

    app.handle(
      QueryContacts,
      async (session, { skip, watch }) => {
        // Before the read: a change during it is pushed afterwards.
        if (watch) watchers.add(session)
        const { contacts: list, scanned } = await contactList.load(session.user.id)
        chargeCount(session, scanned)
        return {
          more: list.length > skip + CONTACTS_PER_PACKET,
          unread: list.reduce((sum, { unread }) => sum + unread, 0),
          contacts: list.slice(skip, skip + CONTACTS_PER_PACKET),
        }
      },
      { serial: true },
    )
  },
})

/** Changed users and groups that are no longer contacts. */
function goneFrom(list: readonly { readonly kind: number; readonly id: number }[], { users, groups }: Changes) {
  const keyOf = ({ kind, id }: { kind: number; id: number }) => `${kind} ${id}`
  const left = new Set(list.map(keyOf))
  const changed = [...[...users].map((id) => ({ kind: 1, id })), ...[...groups].map((id) => ({ kind: 4, id }))]
  return changed.filter((contact) => !left.has(keyOf(contact)))
}
