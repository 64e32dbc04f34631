import type { Duplex } from 'node:stream'
import type { Timer } from '../clock.ts'
import { Refused, toFailure } from '../errors.ts'
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
  readRef,
  type ServerMessage,
  WireError,
} from '../wire/index.ts'
import { networkOf } from './address.ts'
import { Inbox } from './inbox.ts'
import type { Peer, PeerHost } from './peer.ts'
import type { Push } from './push.ts'
import type { User, UserSession } from './session.ts'
import type { Rates } from './sessions.ts'

type State = 'handshake' | 'anonymous' | 'session' | 'closing'

export interface ConnectionHost extends PeerHost {
  readonly staticKey: KeyPair
}

/** How long a closing connection waits for the peer to take the last bytes. */
const LINGER_MS = 1000

/** Records of a stranger: far more than its few messages need, however they are cut. */
const RECORDS_BEFORE_LOGIN = 10_000

let lastId = 0

/** One peer: handshake → anonymous → session → closing, with a deadline for each state. */
export class Connection implements Peer {
  readonly id = ++lastId
  readonly address: string
  readonly network: string
  readonly isOperator: boolean
  /** Resolves when the stream is closed and the server has forgotten the connection. */
  readonly closed: Promise<void>
  readonly #host: ConnectionHost
  readonly #stream: Duplex
  readonly #inbox: Inbox
  #state: State = 'handshake'
  readonly #records = new RecordSplitter({ magic: MAGIC, maxLength: NX_LENGTHS[0] })
  readonly #messages: MessageSplitter
  #secure: HandshakeResult | undefined
  #outbox: Outbox | undefined
  #user: User | undefined
  #rates: Rates | undefined
  #deadline: Timer | undefined
  #messagesBeforeLogin = 0
  #recordsBeforeLogin = 0
  #inFlight = 0
  #lastHeard: number
  #asked = false
  /** Whether everyone who asked was told that there is room. */
  #wasWritable = true
  #stalledSince: number | undefined
  /** What the peer had taken at the last look. */
  #taken = 0

  constructor(
    host: ConnectionHost,
    stream: Duplex,
    origin: { readonly address: string; readonly isOperator: boolean },
  ) {
    this.#host = host
    this.#lastHeard = host.clock.now()
    this.#stream = stream
    this.address = origin.address
    this.network = networkOf(origin.address)
    this.isOperator = origin.isOperator
    const { messageBeforeLogin, formatBeforeLogin, valuesBeforeLogin } = host.limits
    this.#messages = new MessageSplitter({
      message: messageBeforeLogin,
      format: formatBeforeLogin,
      values: valuesBeforeLogin,
    })
    this.#inbox = new Inbox(stream, host, (frame, waited) => this.#accept(frame, waited))
    this.#expect(host.limits.handshake)
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('drain', () => this.#drained())
    stream.on('error', (error: Error) => host.log.debug({ session: this.id, err: error }, 'connection error'))
    this.closed = new Promise((resolve) => {
      stream.on('close', () => {
        this.#ended()
        resolve()
      })
    })
    // A peer that only half closes is gone for us: there is no one to answer.
    stream.on('end', () => stream.destroy())
  }

  get user(): User | undefined {
    return this.#user
  }

  get open(): boolean {
    return this.#state === 'anonymous' || this.#state === 'session'
  }

  get handshakeHash(): Buffer {
    if (this.#secure === undefined) throw new Error('the handshake is not over')
    return this.#secure.handshakeHash
  }

  get writable(): boolean {
    const writable = this.open && (this.#outbox?.size ?? 0) < this.#host.limits.outboundSoft
    this.#wasWritable &&= writable
    return writable
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get progress(): number {
    if (this.#secure === undefined) return 0
    return this.#messagesBeforeLogin === 0 ? 1 : 2
  }

  charge(tokens: number) {
    this.#rates?.requests.take(this.#host.clock.now(), tokens)
  }

  send<M extends ServerMessage>(message: M, values: InputOf<M>) {
    this.reply(message, 0, values)
  }

  push({ bytes, message, values }: Push) {
    this.#write(bytes)
    this.#host.sent(this, message, values)
  }

  reply<M extends ServerMessage>(message: M, ref: number, values: InputOf<M>) {
    this.#write(encode(message, ref, values))
    this.#host.sent(this, message, values)
  }

  #write(bytes: Buffer) {
    if (this.#outbox === undefined || this.#stream.destroyed) return
    this.#outbox.push(bytes)
    if (this.#outbox.size > this.#host.limits.outboundHard) this.#cut('peer reads too slowly')
  }

  refuse(ref: number, refused: Refused) {
    const { message, values } = toFailure(refused)
    this.reply(message, ref, values)
  }

  fail(ref: number, code: FailureName, text?: string) {
    this.refuse(ref, new Refused(code, text))
  }

  login(user: User): UserSession {
    if (!this.open || this.#user !== undefined) throw new Refused('not_allowed')
    this.#user = user
    const session = this as Peer & UserSession
    try {
      this.#rates = this.#host.loggedIn(session)
    } catch (error) {
      this.#user = undefined
      throw error
    }
    this.#state = 'session'
    this.#deadline?.cancel()
    const { message, format, values } = this.#host.limits
    this.#messages.limits = { message, format, values }
    return session
  }

  close(reason: FailureName) {
    if (this.#state === 'closing') return
    const wasOpen = this.open
    this.#state = 'closing'
    this.#expect(LINGER_MS)
    if (!wasOpen) return void this.#stream.destroy()
    // After the reply that this turn may still queue.
    setImmediate(() => {
      this.reply(Closing, 0, toFailure(new Refused(reason)).values)
      this.#outbox?.flush()
      this.#stream.end()
    })
  }

  requestStarted() {
    this.#inFlight++
    if (this.#inFlight >= this.#host.limits.requestsInFlight) this.#inbox.hold('requests')
  }

  requestEnded() {
    this.#inFlight--
    if (this.#inFlight === this.#host.limits.requestsInFlight - 1) this.#inbox.release('requests')
  }

  /** Called every second: asks a silent peer, cuts a dead one and one that no longer reads. */
  watch(now: number) {
    const { ping, dead, outboundStall } = this.#host.limits
    const silent = now - this.#lastHeard
    if (this.#stalledSince !== undefined && now - this.#stalledSince > outboundStall) this.#cut('peer stopped reading')
    else if (this.#state === 'session' && silent > dead) this.close('timed_out')
    else if (this.#state === 'session' && silent > ping && !this.#asked) {
      this.#asked = true
      this.send(KeepAlive, {})
    }
    const taken = this.#outbox?.taken ?? 0
    const stalled = (this.#outbox?.size ?? 0) > 0 && taken === this.#taken
    this.#taken = taken
    this.#stalledSince = stalled ? (this.#stalledSince ?? now) : undefined
  }

  /** Starts no more requests: the server is about to stop, and lets those under way finish. */
  takeNoMore() {
    this.#inbox.hold('stopping')
  }

  #receive(chunk: Buffer) {
    this.#lastHeard = this.#host.clock.now()
    this.#asked = false
    if (this.#state === 'closing') return
    try {
      for (const record of this.#records.push(chunk)) {
        if (this.#user === undefined && !this.isOperator && ++this.#recordsBeforeLogin > RECORDS_BEFORE_LOGIN)
          return void this.#stream.destroy()
        if (this.#secure === undefined) this.#shakeHands(record)
        else for (const frame of this.#messages.push(openRecord(this.#secure.receive, record))) this.#inbox.push(frame)
      }
    } catch (error) {
      return this.#broken(error)
    }
    this.#inbox.run()
  }

  #shakeHands(message: Buffer) {
    const handshake = new HandshakeState({ initiator: false, prologue: MAGIC, s: this.#host.staticKey })
    handshake.readMessage(message)
    this.#stream.write(framed(handshake.writeMessage()))
    this.#secure = handshake.result as HandshakeResult
    this.#records.maxLength = MAX_MESSAGE_LENGTH
    this.#outbox = new Outbox(this.#stream, this.#secure.send, () => {
      // What was too much for a moment may be taken at once, and then nothing drains.
      if (!this.#wasWritable) this.#drained()
    })
    this.#state = 'anonymous'
    if (this.isOperator) this.#deadline?.cancel()
    else this.#expect(this.#host.limits.login, 'timed_out')
  }

  /** Decides when the frame is handled, see Inbox. */
  #accept(frame: Frame, waited: boolean): Promise<void> | number | undefined {
    if (this.#state === 'closing') return undefined
    if (this.#user === undefined && !this.isOperator) {
      if (++this.#messagesBeforeLogin > this.#host.limits.messagesBeforeLogin) {
        this.close('login_required')
        return undefined
      }
    } else if (!waited && this.#rates !== undefined) {
      const { clock, limits } = this.#host
      try {
        const wait = this.#rates.take(this.#host.isRated(frame), clock.now(), limits.requestPause)
        if (wait > 0) return wait
      } catch (error) {
        this.refuse(readRef(frame), error as Refused)
        return undefined
      }
    }
    try {
      const started = this.#host.dispatch(this, frame)
      if (!this.writable) this.#awaitReader()
      return started?.catch((error: unknown) => this.#dispatchFailed(frame, error))
    } catch (error) {
      this.#dispatchFailed(frame, error)
      return undefined
    }
  }

  /** A fault of ours, whatever the peer sent: this connection ends, the others go on. */
  #dispatchFailed({ type }: Frame, error: unknown) {
    this.#host.log.error({ session: this.id, type, err: error }, 'dispatch failed')
    this.close('internal')
  }

  #broken(error: unknown) {
    this.#host.log.debug({ session: this.id, address: this.address, err: error }, 'broken input')
    // After a bad tag nothing is answered; a message too large was at least authentic.
    if (error instanceof WireError) this.close(error.code === 'oversized' ? 'too_large' : 'protocol_error')
    else this.#stream.destroy()
  }

  /** Who does not read answers gets no more requests in: they would only become answers that wait in memory. */
  #awaitReader() {
    this.#outbox?.flush()
    if (!this.writable) this.#inbox.hold('reader')
  }

  #cut(why: string) {
    this.#host.log.info({ session: this.id, user: this.#user?.name, address: this.address }, why)
    this.#stream.destroy()
  }

  #expect(ms: number, reason?: FailureName) {
    this.#deadline?.cancel()
    this.#deadline = this.#host.clock.after(ms, () => (reason ? this.close(reason) : this.#stream.destroy()))
  }

  #drained() {
    this.#wasWritable = true
    this.#stalledSince = undefined
    this.#inbox.release('reader')
    if (this.#state === 'session') this.#host.drained(this as UserSession)
  }

  #ended() {
    this.#deadline?.cancel()
    this.#inbox.stop()
    this.#state = 'closing'
    this.#host.closed(this)
  }
}
