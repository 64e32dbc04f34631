import { newClientId } from '../core/wire/index.ts'
import { FollowStreams } from '../plugins/streams/messages.ts'
import { ClientError } from './errors.ts'
import { FileTransfers } from './file-transfers.ts'
import { type GrowingMessage, IncomingStreams } from './incoming-streams.ts'
import type { RequestOptions } from './link.ts'
import { OutgoingStream } from './outgoing-stream.ts'
import type { SendOptions, SentMessage } from './types.ts'
import { untilAborted } from './until-aborted.ts'

/** Name of a user, or a group. */
type Recipient = string | { readonly group: string }

/** Messages that are seen while they are written. */
export abstract class Streaming extends FileTransfers {
  abstract send(to: Recipient, text: string, options?: SendOptions): Promise<SentMessage>

  /**
   * Sends a message while its text is being made, such as by a language model: sessions that follow streams see it grow,
   * everyone else gets the whole message. It goes on over reconnects. A server without streams gets one message at the end.
   * @param source pieces of the text; one without text sends nothing
   * @param options.timeout of the end, as in `send`; the source may take as long as the server's limit `streamTime`
   * @param options.signal ends the stream without a message
   * @returns undefined if there was no text
   * @throws RefusedByServer `too_large` and as `send` does; ClientError `aborted`; errors of the source. Nothing is sent then
   */
  async stream(
    to: Recipient,
    source: AsyncIterable<string> | Iterable<string>,
    { clientId = newClientId(), style = {}, hops = 0, replyTo = 0, signal, ...limits }: SendOptions = {},
  ): Promise<SentMessage | undefined> {
    const target = typeof to === 'string' ? { to } : to
    const out = new OutgoingStream(this.link, { ...target, clientId, hops, replyTo }, signal)
    try {
      for await (const piece of untilAborted(source, signal)) if (piece !== '') out.write(piece)
      if (out.text === '') return undefined
      const stored = await out.close(style, this.link.limit({ ...limits, ...(signal && { signal }) }))
      if (stored !== undefined) return { ...stored, sentAt: new Date(stored.sentAt) }
    } catch (error) {
      await this.#discard(out)
      throw error
    }
    const options = { clientId, style, hops, replyTo, ...limits, ...(signal && { signal }) }
    return this.send(to, out.text, options)
  }

  /**
   * Calls the listener while messages of others grow, also after reconnects. The finished message comes as any other.
   * @returns a function that stops it
   * @throws RefusedByServer `unknown_type` by a server without streams
   */
  async followStreams(listener: (message: GrowingMessage) => void, options: RequestOptions = {}): Promise<() => void> {
    const streams = new IncomingStreams(this, listener)
    const follow = () => this.request(FollowStreams, {}, options)
    // A connection that is lost meanwhile reconnects, and follows again.
    const off = this.onLife('reconnected', () => void follow().catch(() => {}))
    const stop = () => {
      streams.stop()
      off()
    }
    try {
      await follow()
    } catch (error) {
      stop()
      throw error
    }
    return () => {
      stop()
      // The listener hears nothing more, whether or not the server knows.
      this.request(FollowStreams, { on: false }).catch(() => {})
    }
  }

  /** Best effort: the error that ended the stream goes to the caller. */
  async #discard(out: OutgoingStream) {
    try {
      await out.discard(this.link.limit())
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
    }
  }
}
