import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { Refused, toFailure } from '../errors.ts'
import type { RunQueue } from '../flow/run-queue.ts'
import type { Limits } from '../limits.ts'
import {
  frame as framed,
  type HandshakeResult,
  HandshakeState,
  type KeyPair,
  MAGIC,
  MAX_MESSAGE_LENGTH,
  NX_LENGTHS,
  Outbox,
  openRecord,
  RecordSplitter,
} from '../noise/index.ts'
import {
  Closing,
  encode,
  type FailureName,
  type Frame,
  type InputOf,
  KeepAlive,
  MessageSplitter,
  type ServerMessage,
  WireError,
} from '../wire/index.ts'
import { Inbox } from './inbox.ts'
import type { Push } from './push.ts'
import type { Replies } from './requests.ts'
import type { Transport, TransportSession } from './transport.ts'

export interface NativeHost {
  readonly limits: Limits
  readonly log: Logger
  readonly clock: Clock
  /** Shares the event loop among connections. */
  readonly queue: RunQueue
  readonly staticKey: KeyPair
}

/** How long a closing connection waits for the peer to take the last bytes. */
const LINGER_MS = 1000

/** The native protocol over a byte stream: Noise records, frames, back-pressure, signs of life. */
export class NativeTransport implements Transport, Replies {
  readonly hasHandshake = true
  readonly #host: NativeHost
  readonly #stream: Duplex
  readonly #inbox: Inbox
  readonly #records = new RecordSplitter({ magic: MAGIC, maxLength: NX_LENGTHS[0] })
  readonly #messages: MessageSplitter
  #session: TransportSession | undefined
  #secure: HandshakeResult | undefined
  #outbox: Outbox | undefined
  #deadline: Timer | undefined
  #lastHeard: number
  /** Whether the silent peer has been asked for a sign of life. */
  #isAsked = false
  #stalledSince: number | undefined
  /** Bytes that the peer had taken at the last check. */
  #taken = 0

  constructor(host: NativeHost, stream: Duplex) {
    this.#host = host
    this.#stream = stream
    this.#lastHeard = host.clock.now()
    const { messageBeforeLogin, formatBeforeLogin, valuesBeforeLogin } = host.limits
    this.#messages = new MessageSplitter({
      message: messageBeforeLogin,
      format: formatBeforeLogin,
      values: valuesBeforeLogin,
    })
    this.#inbox = new Inbox(stream, host, {
      open: (record, frames) => this.#open(record, frames),
      accept: (frame, waited) => this.#accept(frame, waited),
      broken: (error) => this.#broken(error),
    })
  }

  get queued(): number {
    return this.#outbox?.size ?? 0
  }

  start(session: TransportSession) {
    this.#session = session
    const stream = this.#stream
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('error', (error: Error) => this.#host.log.debug({ session: session.id, err: error }, 'connection error'))
    stream.on('close', () => {
      this.#deadline?.cancel()
      this.#inbox.stop()
      session.gone()
    })
    // Nobody is left to answer once the peer has closed its half.
    stream.on('end', () => stream.destroy())
  }

  push({ bytes }: Push) {
    this.#write(bytes)
  }

  reply<M extends ServerMessage>(message: M, ref: number, values: InputOf<M>) {
    this.#write(encode(message, ref, values))
    this.#session?.replied(message, values)
  }

  refuse(ref: number, refused: Refused) {
    const { message, values } = toFailure(refused)
    this.reply(message, ref, values)
  }

  end(reason: FailureName) {
    this.#inbox.stop()
    if (this.#outbox === undefined) return void this.#stream.destroy()
    this.#destroyAfter(LINGER_MS)
    this.reply(Closing, 0, toFailure(new Refused(reason)).values)
    this.#outbox.flush()
    this.#stream.end()
  }

  loggedIn() {
    const { message, format, values } = this.#host.limits
    this.#messages.limits = { message, format, values }
  }

  hold(reason: string) {
    this.#inbox.hold(reason)
  }

  release(reason: string) {
    this.#inbox.release(reason)
  }

  /** Pings an idle peer; closes dead peers and slow consumers. */
  watch(now: number) {
    const { ping, dead, outboundStall } = this.#host.limits
    const session = this.#session
    const silent = session?.open && session.user !== undefined ? now - this.#lastHeard : 0
    if (this.#stalledSince !== undefined && now - this.#stalledSince > outboundStall) this.#cut('peer stopped reading')
    else if (silent > dead) session?.close('timed_out')
    else if (silent > ping && !this.#isAsked) {
      this.#isAsked = true
      session?.send(KeepAlive, {})
    }
    const taken = this.#outbox?.taken ?? 0
    const isStalled = this.queued > 0 && taken === this.#taken
    this.#taken = taken
    this.#stalledSince = isStalled ? (this.#stalledSince ?? now) : undefined
  }

  #receive(chunk: Buffer) {
    this.#lastHeard = this.#host.clock.now()
    this.#isAsked = false
    this.#inbox.push(this.#records.push(chunk))
  }

  #open(record: Buffer, frames: Frame[]): number {
    const session = this.#session as TransportSession
    if (this.#secure === undefined) {
      this.#shakeHands(session, record)
      return 0
    }
    const before = frames.length
    for (const frame of this.#messages.push(openRecord(this.#secure.receive, record))) frames.push(frame)
    // Its decryption has a price, which no message pays.
    return frames.length === before ? session.admitPart() : 0
  }

  #shakeHands(session: TransportSession, message: Buffer) {
    const handshake = new HandshakeState({ initiator: false, prologue: MAGIC, s: this.#host.staticKey })
    handshake.readMessage(message)
    this.#stream.write(framed(handshake.writeMessage()))
    const secure = handshake.result as HandshakeResult
    this.#secure = secure
    this.#records.maxLength = MAX_MESSAGE_LENGTH
    this.#outbox = new Outbox(this.#stream, secure.send, () => this.#drained())
    session.established(secure.handshakeHash)
  }

  #accept(frame: Frame, waited: boolean): Promise<void> | number | undefined {
    const session = this.#session
    const wait = session?.accept(frame, waited, this)
    // Back-pressure: no more requests are read while the peer leaves replies unread.
    if (session?.open && !session.writable) {
      this.#outbox?.flush()
      if (!session.writable) this.#inbox.hold('reader')
    }
    return wait
  }

  #write(bytes: Buffer) {
    if (this.#outbox === undefined || this.#stream.destroyed) return
    this.#outbox.push(bytes)
    if (this.#outbox.size > this.#host.limits.outboundHard) this.#cut('peer reads too slowly')
  }

  #broken(error: unknown) {
    const session = this.#session as TransportSession
    this.#host.log.debug({ session: session.id, address: session.address, err: error }, 'broken input')
    // The session has closed.
    if (error instanceof Refused) return
    // After a failed authentication tag no reply is sent; an oversized message was authentic.
    if (error instanceof WireError) session.close(error.code === 'oversized' ? 'too_large' : 'protocol_error')
    else this.#stream.destroy()
  }

  #cut(why: string) {
    const { id, user, address } = this.#session ?? {}
    this.#host.log.info({ session: id, user: user?.name, address }, why)
    this.#stream.destroy()
  }

  #destroyAfter(ms: number) {
    this.#deadline?.cancel()
    this.#deadline = this.#host.clock.after(ms, () => this.#stream.destroy())
  }

  #drained() {
    this.#stalledSince = undefined
    // A write may be one of many: until the queue is short enough, requests would only add replies to it.
    if (this.#session?.writable) this.#inbox.release('reader')
    this.#session?.drained()
  }
}
