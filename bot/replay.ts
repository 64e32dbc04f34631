import { type Client, MoveConsumer, QueryConsumers } from '../client/index.ts'
import { BotError } from './errors.ts'
import type { BotLog } from './log.ts'

/** Start of a replay: the id of the message before it, or a time. */
export type Replay = { readonly after: number } | { readonly since: Date }

/**
 * Moves a consumer back to the start of a replay.
 * @throws BotError `nothing_to_replay` if `after` is ahead of the consumer, which would skip events
 */
export async function moveBack(client: Client, consumer: string, replay: Replay, log: BotLog) {
  const { consumers } = await client.request(QueryConsumers, {})
  const before = consumers.find((known) => known.consumer === consumer)
  if ('after' in replay && before !== undefined && replay.after > before.position)
    throw new BotError(
      'nothing_to_replay',
      `nothing after ${replay.after} was handled yet: the consumer is at ${before.position}`,
    )
  const from = 'since' in replay ? { after: 0, since: replay.since.getTime() } : replay
  const { position } = await client.request(MoveConsumer, { consumer, ...from })
  if (before !== undefined && position > before.position)
    log.warn({ from: before.position, to: position }, 'the replay skips events that were not handled')
}
