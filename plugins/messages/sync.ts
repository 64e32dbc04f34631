import type { UserSession } from '../../core/index.ts'
import { headOf, type MessageChange, messageChangesFor } from '../../db/index.ts'
import type { WireMessage } from './deliverable.ts'
import { QueryReadPositions, Sync } from './messages.ts'
import { fitting } from './page.ts'
import type { Parts } from './parts.ts'

/** Sorts of entries. Clients ignore others. */
const MESSAGE = 1
const ENTRIES = { recall: 2, edit: 3, reaction: 4 } as const

type Entry = WireMessage & { readonly number: number; readonly entry: number }

/** What a client has missed: the log of a user's conversations after a number, and the read positions. */
export function handleSync({ app, db, sources, conversations }: Parts) {
  const { stored } = conversations

  /** The entries of changes; of edits and reactions only those of messages that the user may read. */
  const entriesOf = async (session: UserSession, changes: readonly MessageChange[]): Promise<Entry[]> => {
    const subjects = changes.filter(({ topic }) => topic !== 'recall').map(({ subject }) => subject)
    const rows = new Map((await stored.readableRows(session, [...new Set(subjects)])).map((row) => [row.id, row]))
    const entries: Entry[] = []
    for (const { id: number, topic, subject: id } of changes) {
      const entry = { ...EMPTY, id, number, entry: ENTRIES[topic] }
      const row = rows.get(id)
      if (topic === 'recall' || (topic === 'reaction' && row !== undefined)) entries.push(entry)
      else if (row !== undefined) {
        const { from, to, group } = await stored.place(row)
        entries.push({ ...entry, from, to, group, text: row.msg, editedAt: row.edited_at ?? 0 })
      }
    }
    return entries
  }

  app.handle(
    Sync,
    async (session, { after, limit: requested }) => {
      const { id } = session.user
      const limit = conversations.pageSize(requested)
      // What is in the page is not pushed afterwards.
      await conversations.caughtUp()
      // First: what is committed later is in a later page.
      const head = await headOf(db)
      const read = await sources.read(id, { after, limit, unreadOnly: false, withSent: true })
      // An early end has scanned as much as many requests.
      if (read.readTo !== undefined) session.charge(1)
      const messages = read.found.map(({ message }) => ({ ...message, number: message.id, entry: MESSAGE }))
      const changes = await messageChangesFor(db, id, { after, limit })
      const complete = Math.min(
        head,
        read.readTo ?? (read.more ? lastNumber(messages) : head),
        changes.length === limit ? (changes.at(-1)?.id ?? head) : head,
      )
      const entries: Entry[] = [...messages, ...(await entriesOf(session, changes))]
      const inOrder = entries.filter(({ number }) => number <= complete).sort((a, b) => a.number - b.number)
      const page = inOrder.slice(0, Math.min(limit, fitting(inOrder)))
      const upTo = page.length < inOrder.length ? lastNumber(page) : complete
      return { upTo, more: upTo < head, entries: page }
    },
    { serial: true },
  )

  app.handle(
    QueryReadPositions,
    async ({ user }, { cursor }) => {
      const { found, next } = await sources.positions(user.id, cursor)
      return { next, positions: found }
    },
    { serial: true },
  )
}

const lastNumber = (entries: readonly Entry[]) => entries.at(-1)?.number ?? 0

/** The fields of an entry that is not a message. */
const EMPTY: WireMessage = {
  id: 0,
  kind: 0,
  from: '',
  to: '',
  text: '',
  sentAt: 0,
  unread: false,
  font: '',
  fontSize: 0,
  color: '',
  group: '',
  hops: 0,
  replyTo: 0,
  editedAt: 0,
  file: 0,
  fileName: '',
  fileSize: 0,
  fileType: '',
  fileWidth: 0,
  fileHeight: 0,
  fileThumbhash: '',
  filePreview: false,
}
