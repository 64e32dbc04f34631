import { isTransientFailure, Refused } from '../../core/index.ts'
import { TakenElsewhere } from './consumer-store.ts'
import type { Parts } from './parts.ts'

/** Events that are handled, and the state that is stored with them. */
export interface Acknowledgement {
  readonly userId: number
  /** Name of the consumer. */
  readonly name: string
  readonly ids: readonly number[]
  /** Absent without `keep`. */
  readonly kept?: { readonly key: string; readonly state: string }
}

/** `false`: this node has not taken the consumer. */
type Answer = boolean | { readonly code: string; readonly text: string }

const [TAKEN, ACKNOWLEDGE, ACTIVE] = ['consumer.taken', 'consumer.acknowledge', 'consumer.active']

/** Attempts while nodes take a consumer from each other. */
const MAX_ATTEMPTS = 3

/** What the nodes of a cluster tell each other of consumers. @returns what one node tells the others */
export function shareConsumers(parts: Parts) {
  const { app, store } = parts
  const { cluster } = app
  cluster.hear(TAKEN, (taken) => {
    const { userId, name, epoch } = taken as { userId: number; name: string; epoch: number }
    void store.inTurn(userId, () => store.lose(userId, name, epoch))
  })
  cluster.answer(ACKNOWLEDGE, async (asked): Promise<Answer> => {
    const request = asked as Acknowledgement
    if ((await store.taken(request.userId, request.name)) === undefined) return false
    try {
      await acknowledgeHere(parts, request)
      return true
    } catch (error) {
      if (error instanceof TakenElsewhere) return false
      if (error instanceof Refused && !isTransientFailure(error.code)) return { code: error.code, text: error.message }
      throw error
    }
  })
  cluster.answer(ACTIVE, (asked) => {
    const { userId } = asked as { userId: number }
    return store.active.filter((consumer) => consumer.userId === userId).map(({ name }) => name)
  })
}

/** Takes a consumer for this node. To be called in turn. @throws Refused `no_consumer` */
export async function takeConsumer({ app, store }: Parts, userId: number, name: string) {
  const consumer = await store.take(userId, name)
  app.cluster.say(TAKEN, { userId, name, epoch: consumer.epoch })
  return consumer
}

/** Names of a user's consumers whose events a session receives, on any node. */
export async function activeConsumers({ app, store }: Parts, userId: number): Promise<ReadonlySet<string>> {
  const { answers } = await app.cluster.ask<string[]>(ACTIVE, { userId })
  const own = store.active.filter((consumer) => consumer.userId === userId).map(({ name }) => name)
  return new Set([...own, ...[...answers.values()].flat()])
}

/**
 * Acknowledges events on the node that has taken the consumer, which knows the events in flight.
 * @throws Refused `no_consumer`, `too_many`, `unavailable` when that node does not answer
 */
export async function acknowledge(parts: Parts, request: Acknowledgement) {
  const { app, store } = parts
  const { userId, name } = request
  for (let attempts = 1; ; attempts++) {
    try {
      const isElsewhere = app.cluster.node !== 0 && (await store.taken(userId, name)) === undefined
      if (isElsewhere && (await acknowledgeElsewhere(parts, request))) return
      if (isElsewhere) await store.inTurn(userId, () => store.reload(userId, name))
      return await acknowledgeHere(parts, request)
    } catch (error) {
      if (!(error instanceof TakenElsewhere) || attempts === MAX_ATTEMPTS) throw error
    }
  }
}

/** @returns false if no other node has taken the consumer */
async function acknowledgeElsewhere({ app }: Parts, request: Acknowledgement): Promise<boolean> {
  const { answers, silent } = await app.cluster.ask<Answer>(ACKNOWLEDGE, request)
  for (const answer of answers.values()) {
    if (answer === true) return true
    if (answer !== false) throw new Refused(answer.code as never, answer.text)
  }
  // A silent one may have taken it.
  if (silent.length > 0) throw new Refused('unavailable', undefined, { retryAfter: 1000 })
  return false
}

async function acknowledgeHere({ store }: Parts, { userId, name, ids, kept }: Acknowledgement) {
  if (kept !== undefined) {
    // State without an event: the client waits for this commit alone. Acknowledgements of events come in batches.
    const isUrgent = ids.length === 0
    return store.saveWithState({ userId, name, ...kept, isUrgent }, (consumer) => {
      for (const id of ids) consumer.acknowledge(id)
    })
  }
  const consumer = await store.require(userId, name)
  const isNew = ids.map((id) => consumer.acknowledge(id)).includes(true)
  // A repeated acknowledgement after a failed write: done only once the position is written.
  await (isNew ? store.save(consumer) : store.writer.settled())
}
