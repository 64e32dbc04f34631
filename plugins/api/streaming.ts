import { Refused } from '../../core/index.ts'
import { objectOf } from './bodies.ts'
import { Consuming, type ConsumingParts, type Place, placeOf } from './consuming.ts'
import { eventText, isWithin } from './event-text.ts'
import type { Exchange, Operation } from './operation.ts'
import { sendJson } from './problems.ts'
import { StreamTransport } from './stream-transport.ts'

const keyOf = (userId: number, consumer: string) => `${userId} ${consumer}`

/** Durable consumers as server-sent events. */
export function streamingOperations(parts: ConsumingParts, failed: (error: unknown) => void): Operation[] {
  const consuming = new Consuming(parts)
  /** The open streams, by user and consumer. */
  const streams = new Map<string, StreamTransport>()

  const open = async (exchange: Exchange) => {
    const { request, response, access } = exchange
    const place = placeOf(exchange)
    if (request.method === 'HEAD') return void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end()
    const transport = transportFor(exchange, place)
    const session = parts.app.admit(transport, request.address)
    if (session === undefined) throw new Refused('unavailable', 'the server is full or stops', { retryAfter: 1000 })
    try {
      await consuming.enter(session, exchange)
      const { receivedTo, resync, ...facts } = await consuming.begin(session, access.user.id, place)
      transport.skipTo(receivedTo)
      const ready = eventText('ready', { consumer: place.consumer, ...facts, epoch: parts.app.epoch })
      transport.open(
        ready,
        resync === undefined ? '' : eventText('resync', { reason: resync, position: facts.position }),
      )
    } catch (error) {
      session.close('logged_out')
      throw error
    }
    const key = keyOf(access.user.id, place.consumer)
    streams.set(key, transport)
    void session.closed.then(() => {
      if (streams.get(key) === transport) streams.delete(key)
    })
  }

  const transportFor = ({ request, response, access }: Exchange, { consumer }: Place) =>
    new StreamTransport(response, {
      limits: parts.app.limits,
      window: parts.conversations.window,
      acknowledgesSent: request.query.get('ack') === 'sent',
      isVisible: ({ targets }) => isWithin(access.token, targets),
      acknowledge: (ids) => void parts.consumers.acknowledge(access.user.id, consumer, ids).catch(failed),
    })

  const acknowledge = async ({ request, response, access }: Exchange) => {
    const { consumer, id } = await objectOf(request)
    if (typeof consumer !== 'string' || !Number.isSafeInteger(id) || (id as number) < 1)
      throw new Refused('invalid_value', 'name the consumer and the id of an event: {"consumer":"NAME","id":7}')
    const { id: userId } = access.user
    const sent = streams.get(keyOf(userId, consumer))?.acknowledged(id as number) ?? []
    await parts.consumers.acknowledge(userId, consumer, [...sent, id as number])
    sendJson(response, 200, {})
  }

  return [
    { method: 'GET', path: '/events', scope: 'read', run: open },
    { method: 'POST', path: '/events/ack', scope: 'read', run: acknowledge },
  ]
}
