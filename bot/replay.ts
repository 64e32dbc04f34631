import { type Client, MoveConsumer, QueryConsumers } from '../client/index.ts'
import { BotError } from './errors.ts'
import type { BotLog } from './log.ts'

/** Behind a message, or with those of a time. */
export type Replay = { readonly after: number } | { readonly since: Date }

/** Moves a consumer back. @throws BotError when nothing behind that message was handled: it would be left out */
export async function moveBack(client: Client, consumer: string, replay: Replay, log: BotLog) {
  const { consumers } = await client.request(QueryConsumers, {})
  const before = consumers.find((known) => known.consumer === consumer)
  if ('after' in replay && before !== undefined && replay.after > before.position)
    throw new BotError(
      'nothing_to_replay',
      `nothing after ${replay.after} was handled yet: it is at ${before.position}`,
    )
  const from = 'since' in replay ? { after: 0, since: replay.since.getTime() } : replay
  const { position } = await client.request(MoveConsumer, { consumer, ...from })
  if (before !== undefined && position > before.position)
    log.warn({ from: before.position, to: position }, 'what came between was not handled, and is left out')
}
