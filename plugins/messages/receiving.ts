import { Refused, type UserSession } from '../../core/index.ts'
import { privateWith } from './audience.ts'
import type { Deliverable } from './deliverable.ts'
import { Acknowledge, Receive } from './messages.ts'
import type { Parts } from './parts.ts'
import { existing } from './private-messages.ts'
import type { Source } from './source.ts'

/** The messages that a session asks for. `sources` hold exactly those that are wanted. */
interface Filter {
  readonly sources: readonly Source[]
  /** Only this kind. */
  readonly kind?: number
  readonly wants: (deliverable: Deliverable) => boolean
}

/** Pushes and their acknowledgement. */
export function handleReceiving(parts: Parts) {
  handleReceive(parts)
  handleAcknowledge(parts)
}

function handleReceive({ app, sources, deliveries, privateMessages }: Parts) {
  const filterOf = async (from: string, kind: number): Promise<Filter> => {
    if (from !== '') {
      const { id } = await privateMessages.partner(from)
      const wants = ({ conversation }: Deliverable) => conversation === privateWith(id)
      return { sources: [privateMessages.source(id)], wants }
    }
    if (kind === 0) return { sources: sources.ofKind(0), wants: () => true }
    return { sources: sources.ofKind(kind), kind, wants: ({ message }) => message.kind === kind }
  }

  const begin = (session: UserSession, { sources: from, kind, wants }: Filter, after: number) => {
    const query = { unreadOnly: true, ...(kind !== undefined && { kind }) }
    const delivery = deliveries.begin(session, {
      load: (above, limit) => sources.read(session.user.id, { ...query, after: above, limit }, from),
      after,
      wants,
    })
    // [D-5] After the reply.
    setImmediate(() => delivery.catchUp())
  }

  app.handle(
    Receive,
    async (session, { from, kind, after }) => {
      const filter = await filterOf(from, kind)
      // First, because it may fail: the earlier delivery goes on then.
      const unread = await sources.countUnread(session.user.id)
      if (!session.open) throw new Refused('logged_out')
      // [D-5] Just before the reply: pushes before the reply are those of the earlier delivery.
      begin(session, filter, after)
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

  app.handle(
    Acknowledge,
    async (session, { from, upTo }, { ref }) => {
      const sender = existing(await names.find(session, () => find(session, from)), from)
      await conversations.acknowledge(session, {
        conversation: privateWith(sender.id),
        fromId: sender.id,
        isGroup: false,
        from: sender.name,
        group: '',
        upTo,
        receiptTo: readReceipts && sender.id !== session.user.id ? sender.id : undefined,
        isWaitedFor: ref !== 0,
      })
    },
    { rated: false },
  )
}
