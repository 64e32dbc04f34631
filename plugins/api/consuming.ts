import { type App, Refused, type TransportSession, type UserSession } from '../../core/index.ts'
import { type Accounts, existing } from '../accounts/index.ts'
import { Consume, MoveConsumer } from '../consumers/messages.ts'
import type { Exchange } from './operation.ts'

/** What this needs of other plugins. */
export interface ConsumingParts {
  readonly app: App
  readonly accounts: Accounts
  readonly login: { enter(session: TransportSession, account: Awaited<ReturnType<Accounts['require']>>): UserSession }
  readonly consumers: {
    has(userId: number, name: string): Promise<boolean>
    acknowledge(userId: number, name: string, ids: readonly number[]): Promise<void>
  }
  readonly conversations: { horizon(): number; caughtUp(): Promise<void> | undefined; readonly window: number }
}

/** Where a reader wants to go on. */
export interface Place {
  readonly consumer: string
  /** A new consumer begins with the oldest message. */
  readonly all: boolean
  /** The last id that the reader has received; undefined if it does not say. */
  readonly receivedTo: number | undefined
}

const MAX_NAME_CHARACTERS = 64

/** The place that a request names. @throws Refused `invalid_value` */
export function placeOf({ request }: Exchange): Place {
  const { query, headers } = request
  const consumer = query.get('consumer') ?? ''
  if (consumer === '' || consumer.length > MAX_NAME_CHARACTERS)
    throw new Refused('invalid_value', 'name the consumer: ?consumer=NAME')
  const last = query.get('after') ?? headers['last-event-id']
  if (last !== undefined && !/^\d{1,15}$/.test(String(last)))
    throw new Refused('invalid_value', 'Last-Event-ID is the id of an event')
  return { consumer, all: query.get('all') === 'true', receivedTo: last === undefined ? undefined : Number(last) }
}

/** A session of the token's user on which a consumer is active. */
export class Consuming {
  readonly #parts: ConsumingParts

  constructor(parts: ConsumingParts) {
    this.#parts = parts
  }

  /** Makes the session one of the token's user, which ends with the token. @throws Refused as a login */
  async enter(session: TransportSession, { access }: Exchange): Promise<UserSession> {
    const { accounts, login } = this.#parts
    const account = existing(await accounts.find(access.user.name), access.user.name)
    const entered = login.enter(session, account)
    const { revoked } = access.token
    const end = () => session.close('logged_out')
    if (revoked.aborted) end()
    revoked.addEventListener('abort', end)
    void session.closed.then(() => revoked.removeEventListener('abort', end))
    return entered
  }

  /**
   * Activates the consumer at the place of the reader. One that does not exist any more is made there, so that nothing
   * is skipped.
   * @returns the consumer, and why the reader must read what it has missed elsewhere
   */
  async begin(session: TransportSession, userId: number, { consumer, all, receivedTo }: Place) {
    const { consumers, conversations } = this.#parts
    await conversations.caughtUp()
    const isAhead = receivedTo !== undefined && receivedTo > conversations.horizon()
    if (receivedTo !== undefined && !isAhead && !(await consumers.has(userId, consumer)))
      await session.receive(MoveConsumer, { consumer, after: receivedTo })
    const consuming = await session.receive(Consume, { consumer, all })
    const isBehind = receivedTo !== undefined && receivedTo < consuming.position && consuming.pending === 0
    const resync = isAhead ? 'ahead' : isBehind ? 'acknowledged' : undefined
    return { ...consuming, receivedTo: isAhead ? 0 : (receivedTo ?? 0), resync }
  }
}
