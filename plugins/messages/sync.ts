import { headOf, type Recall, recallsFor } from '../../db/index.ts'
import type { WireMessage } from './deliverable.ts'
import { QueryReadPositions, Sync } from './messages.ts'
import { fitting } from './page.ts'
import type { Parts } from './parts.ts'

/** Sorts of entries. Clients ignore others. */
const [MESSAGE, RECALL] = [1, 2]

type Entry = WireMessage & { readonly number: number; readonly entry: number }

/** What a client has missed: the log of a user's conversations after a number, and the read positions. */
export function handleSync({ app, db, sources, conversations }: Parts) {
  app.handle(
    Sync,
    async (session, { after, limit: requested }) => {
      const { id } = session.user
      const limit = conversations.pageSize(requested)
      // First: what is committed later is in a later page.
      const head = await headOf(db)
      const read = await sources.read(id, { after, limit, unreadOnly: false, withSent: true })
      // An early end has scanned as much as many requests.
      if (read.readTo !== undefined) session.charge(1)
      const messages = read.found.map(({ message }) => ({ ...message, number: message.id, entry: MESSAGE }))
      const recalls = (await recallsFor(db, id, { after, limit })).map(recallEntry)
      const complete = Math.min(
        head,
        read.readTo ?? (read.more ? lastNumber(messages) : head),
        recalls.length === limit ? lastNumber(recalls) : head,
      )
      const entries: Entry[] = [...messages, ...recalls]
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

const recallEntry = ({ id, subject }: Recall): Entry => ({ ...EMPTY, id: subject, number: id, entry: RECALL })

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
}
