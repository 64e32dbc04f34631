import { Refused, type UserSession, type ValuesOf } from '../../core/index.ts'
import { type Account, existing } from '../accounts/index.ts'
import { privateWith } from './audience.ts'
import type { Deliverable } from './deliverable.ts'
import { Acknowledge, Receive } from './messages.ts'
import type { Parts } from './parts.ts'
import type { Source } from './source.ts'

/** The messages that a session asks for. `sources` hold exactly the unread ones that are wanted. */
interface Filter {
  readonly sources: readonly Source[]
  /** Only this kind. */
  readonly kind?: number
  readonly wants: (deliverable: Deliverable) => boolean
  /** The same for a message of the session's user. */
  readonly wantsOwn: (deliverable: Deliverable) => boolean
}

/** Pushes and their acknowledgement. */
export function handleReceiving(parts: Parts) {
  handleReceive(parts)
  handleAcknowledge(parts)
}

function handleReceive({ app, sources, deliveries, conversations, privateMessages }: Parts) {
  const filterOf = async (from: string, kind: number): Promise<Filter> => {
    if (from !== '') {
      const { id, name } = await privateMessages.partner(from)
      const wants = ({ conversation }: Deliverable) => conversation === privateWith(id)
      return { sources: [privateMessages.source(id)], wants, wantsOwn: ({ message }) => message.to === name }
    }
    const wants = ({ message }: Deliverable) => kind === 0 || message.kind === kind
    return { sources: sources.ofKind(kind), ...(kind !== 0 && { kind }), wants, wantsOwn: wants }
  }

  const begin = (session: UserSession, filter: Filter, { after, own }: ValuesOf<typeof Receive>) => {
    const { sources: from, kind, wants, wantsOwn } = filter
    const { id } = session.user
    const query = { unreadOnly: true, ...(kind !== undefined && { kind }) }
    return deliveries.begin(session, {
      load: (above, limit) => sources.read(id, { ...query, after: above, limit }, from),
      after,
      wants,
      ...(own && { own: { wants: wantsOwn, load: (ids) => sources.sent(id, ids) } }),
    })
  }

  /** Begins the first delivery of a session, and reads nothing if nothing is unread: what is stored meanwhile, it has. */
  const beginFirst = async (session: UserSession, filter: Filter, values: ValuesOf<typeof Receive>) => {
    const delivery = begin(session, filter, values)
    delivery.hold()
    try {
      const { count, isNone } = await sources.countUnread(session)
      delivery.release(isNone)
      return { delivery, unread: count }
    } catch (error) {
      deliveries.end(session, delivery)
      throw error
    }
  }

  app.handle(
    Receive,
    async (session, values) => {
      await conversations.caughtUp()
      const filter = await filterOf(values.from, values.kind)
      const isFirst = !deliveries.has(session)
      // Otherwise counted first, because it may fail: the earlier delivery goes on then.
      const first = isFirst ? await beginFirst(session, filter, values) : undefined
      const unread = first?.unread ?? (await sources.countUnread(session)).count
      if (!session.open) throw new Refused('logged_out')
      // [D-5] Just before the reply: pushes before the reply are those of the earlier delivery.
      const delivery = first?.delivery ?? begin(session, filter, values)
      // [D-5] After the reply.
      setImmediate(() => delivery.catchUp())
      return { unread }
    },
    { serial: true },
  )
}

function handleAcknowledge({ app, accounts, conversations, names, readReceipts }: Parts) {
  const find = (session: UserSession, name: string) => {
    const account = accounts.find(name)
    // A signal that reads the database costs as much as a request.
    if (account instanceof Promise) session.charge(1)
    return account
  }

  const acknowledge = (session: UserSession, sender: Account, upTo: number, isWaitedFor: boolean) =>
    conversations.acknowledge(session, {
      conversation: privateWith(sender.id),
      fromId: sender.id,
      isGroup: false,
      from: sender.name,
      group: '',
      upTo,
      receiptTo: readReceipts && sender.id !== session.user.id ? sender.id : undefined,
      isWaitedFor,
    })

  app.handle(
    Acknowledge,
    (session, { from, upTo }, { ref }) => {
      const sender = names.find(session, () => find(session, from))
      // Without a promise of its own if the sender is cached: each message is acknowledged.
      return sender instanceof Promise
        ? sender.then((account) => acknowledge(session, existing(account, from), upTo, ref !== 0))
        : acknowledge(session, existing(sender, from), upTo, ref !== 0)
    },
    { rated: false },
  )
}
