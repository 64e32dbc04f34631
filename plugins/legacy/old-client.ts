import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import {
  type Clock,
  type FailureName,
  type FairSemaphore,
  type Limits,
  type Push,
  Refused,
  receive,
  type Transport,
  type TransportSession,
  WireError,
} from '../../core/index.ts'
import { type ClientKeys, deriveKeys, ScramError, startLogin, storedKey } from '../../core/scram/index.ts'
import { Login, LoginProof } from '../login/messages.ts'
import { NewSalt, Register } from '../registration/messages.ts'
import { encodeFrame, FrameSplitter, type OldFrame } from './frame.ts'
import { fromOldName } from './names.ts'
import { closingNotice, OldSession, type SessionParts } from './old-session.ts'
import { type Pace, PacedOutbox } from './outbox.ts'
import { REQUESTS } from './requests.ts'
import { FROM_CLIENT, TO_CLIENT } from './types.ts'

/** Time for the peer to read the last bytes of a closing connection. */
const LINGER_MS = 1000
/** The password hash that the original sends, see `md5x10`. */
const HASH = /^[0-9a-f]{32}$/

export interface OldClientParts {
  readonly limits: Limits
  readonly log: Logger
  readonly clock: Clock
  readonly pace: Pace
  readonly isLocal: boolean
  readonly accounts: SessionParts['accounts']
  /** Bounds key derivation, which this server does for the client. */
  readonly derivations: FairSemaphore
  /** Refuses a login before its keys are derived. @throws Refused */
  mayLogIn(upstream: TransportSession, name: string): Promise<void>
  /** Refuses a registration before its keys are derived, and counts it. @throws Refused */
  mayRegister(upstream: TransportSession, names: { readonly name: string; readonly nickname: string }): Promise<void>
  onDerived(): void
  onLogin(): void
}

/** Connection of an original client: translates its frames into native requests, and pushes into frames. */
export class OldClient implements Transport {
  readonly #socket: Duplex
  readonly #parts: OldClientParts
  readonly #frames: FrameSplitter
  readonly #outbox: PacedOutbox
  #upstream: TransportSession | undefined
  #session: OldSession | undefined
  #working: Promise<void> | undefined
  #framesBeforeLogin = 0
  /** Start of the incomplete frame, by performance.now(). */
  #pendingSince: number | undefined
  #ended = false

  constructor(socket: Duplex, parts: OldClientParts) {
    this.#socket = socket
    this.#parts = parts
    const { messageBeforeLogin, formatBeforeLogin, valuesBeforeLogin } = parts.limits
    this.#frames = new FrameSplitter({
      message: messageBeforeLogin,
      format: formatBeforeLogin,
      values: valuesBeforeLogin,
    })
    this.#outbox = new PacedOutbox(socket, parts.pace, () => this.#upstream?.drained())
  }

  start(upstream: TransportSession) {
    this.#upstream = upstream
    this.#socket.on('data', (chunk: Buffer) => this.#receive(upstream, chunk))
    this.#socket.on('error', (error) => this.#parts.log.debug({ session: upstream.id, err: error }, 'connection error'))
    this.#socket.on('close', () => {
      this.#outbox.stop()
      this.#session?.stop()
      // Requests received before the close are finished first: the client closes right after its last message.
      const work = this.#working ?? Promise.resolve()
      void work.then(() => upstream.gone())
    })
  }

  get queued(): number {
    return this.#outbox.size + (this.#session?.waiting ?? 0)
  }

  push({ message, values }: Push) {
    this.#session?.push(message, receive(message, values).values)
  }

  end(reason: FailureName) {
    this.#ended = true
    this.#session?.stop()
    this.#outbox.end(reason === 'logged_out' || this.#session === undefined ? undefined : closingNotice(reason))
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref()
  }

  watch(now: number) {
    const { outboundHard, outboundStall, login } = this.#parts.limits
    const isOlder = (since: number | undefined, ms: number) => since !== undefined && now - since > ms
    if (this.queued > outboundHard || isOlder(this.#outbox.writingSince, outboundStall))
      this.#cut('the peer reads too slowly')
    else if (isOlder(this.#pendingSince, login)) this.#cut('incomplete frame timed out')
  }

  #receive(upstream: TransportSession, chunk: Buffer) {
    if (this.#ended) return
    this.#socket.pause()
    this.#working = this.#work(upstream, this.#frames.push(chunk)).finally(() => {
      this.#working = undefined
      this.#socket.resume()
    })
  }

  /** Decrypts and handles the frames of a chunk serially, in order; the socket is paused meanwhile (back-pressure). */
  async #work(upstream: TransportSession, frames: Iterable<OldFrame>) {
    try {
      for (const frame of frames) {
        this.#pendingSince = undefined
        if (!upstream.open || this.#ended) return
        await (this.#session === undefined ? this.#greet(upstream, frame) : this.#serve(this.#session, frame))
      }
      this.#pendingSince = this.#frames.pending ? (this.#pendingSince ?? performance.now()) : undefined
    } catch (error) {
      this.#broken(error)
    }
  }

  async #serve(session: OldSession, { type, values }: OldFrame) {
    const request = REQUESTS.get(type)
    session.outbox.clientActive()
    session.receipts.confirm()
    await this.#admit(session)
    // As in the original, unsupported types, such as broadcast, are ignored.
    if (request === undefined) return
    await request.run(session, textsOf(values, request.values)).catch((error: unknown) => session.failed(error))
  }

  /** Bounds the decryption of frames, of which not every one becomes a request; others have a turn after each. */
  async #admit({ upstream }: OldSession) {
    const wait = upstream.admitPart()
    if (wait > 0) await new Promise<void>((resolve) => this.#parts.clock.after(wait, resolve))
    else await nextTurn()
  }

  /** Handles a frame before login: only login and registration are allowed. */
  async #greet(upstream: TransportSession, { type, values }: OldFrame) {
    if (++this.#framesBeforeLogin > this.#parts.limits.messagesBeforeLogin) return upstream.close('login_required')
    if (type === FROM_CLIENT.login) {
      const [user = '', hash = ''] = textsOf(values, 2)
      await this.#logIn(upstream, fromOldName(user), hash)
    } else if (type === FROM_CLIENT.register) {
      const [user = '', hash = '', nickname = ''] = textsOf(values, 3)
      await this.#register(upstream, user, hash, nickname)
    } else upstream.close('login_required')
  }

  /** Performs the client side of the native login with the password hash that the peer sent. */
  async #logIn(upstream: TransportSession, name: string, hash: string) {
    const { log, isLocal, accounts, limits } = this.#parts
    try {
      if (!HASH.test(hash)) throw new Refused('login_failed')
      await this.#parts.mayLogIn(upstream, name)
      const exchange = begin(name)
      const { serverFirst, preHash } = await upstream.receive(Login, { clientFirst: exchange.clientFirst })
      const { clientFinal } = await exchange.answer(serverFirst, upstream.channelBinding, (salt, iterations) =>
        this.#derive(upstream, hash, salt, iterations),
      )
      if (preHash === '')
        log.info({ user: name }, 'this account has no password for original clients, see docs/LEGACY.md')
      // Created before the reply: pushes may arrive from then on.
      this.#session = new OldSession({ upstream, outbox: this.#outbox, log, isLocal, accounts })
      const { nickname, user } = await upstream.receive(LoginProof, { clientFinal })
      const { message, format, values } = limits
      this.#frames.limits = { message, format, values }
      this.#parts.onLogin()
      this.#outbox.first(encodeFrame(TO_CLIENT.loggedIn, nickname || user))
    } catch (error) {
      this.#session = undefined
      if (!(error instanceof Refused)) log.error({ err: error }, 'login of an original client failed')
      const text = error instanceof Refused ? error.message : new Refused('internal').message
      this.#outbox.first(encodeFrame(TO_CLIENT.loginFailed, text))
      upstream.close('login_failed')
    }
  }

  async #register(upstream: TransportSession, name: string, hash: string, nickname: string) {
    const { log } = this.#parts
    let answer: number = TO_CLIENT.registered
    try {
      if (!HASH.test(hash)) throw new Refused('invalid_value')
      await this.#parts.mayRegister(upstream, { name, nickname })
      const { salt, iterations } = await upstream.receive(NewSalt, { clientSalt: randomBytes(16) })
      const keys = await this.#derive(upstream, hash, Buffer.from(salt), iterations)
      const verifier = { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey }
      await upstream.receive(Register, { user: name, nickname, ...verifier, preHash: 'md5x10' })
    } catch (error) {
      if (!(error instanceof Refused)) log.error({ err: error }, 'registration by an original client failed')
      const isTaken = error instanceof Refused && error.code === 'username_taken'
      answer = isTaken ? TO_CLIENT.nameTaken : TO_CLIENT.registrationFailed
    }
    // The only reply that is not a frame.
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(answer)
    this.#outbox.first(bytes)
    // After a success the client closes the connection; it retries on a new one.
    if (answer !== TO_CLIENT.registered) upstream.close('logged_out')
  }

  /** Derives keys when the semaphore admits it. @throws Refused `logged_out` if the peer has disconnected by then */
  #derive(upstream: TransportSession, hash: string, salt: Buffer, iterations: number): Promise<ClientKeys> {
    return this.#parts.derivations.run(upstream.network, () => {
      if (!upstream.open || this.#socket.destroyed) throw new Refused('logged_out')
      this.#parts.onDerived()
      return deriveKeys(hash, salt, iterations)
    })
  }

  #broken(error: unknown) {
    if (!(error instanceof WireError))
      this.#parts.log.error({ err: error }, 'internal error while serving an original client')
    this.#cut(error instanceof WireError ? `broken input: ${error.message}` : 'internal error')
  }

  #cut(why: string) {
    const { id, user, address } = this.#upstream ?? {}
    // Only debug before login: anybody could fill the log.
    this.#parts.log[user === undefined ? 'debug' : 'info']({ session: id, user: user?.name, address }, why)
    this.#ended = true
    this.#socket.destroy()
  }
}

/** Starts a login for the peer. @throws Refused `login_failed` for a name that SCRAM cannot encode */
function begin(name: string): ReturnType<typeof startLogin> {
  try {
    return startLogin(name)
  } catch (error) {
    if (error instanceof ScramError) throw new Refused('login_failed')
    throw error
  }
}

/** The first `count` values as texts. @throws WireError for fewer values, for other types, and for invalid UTF-8 */
function textsOf(values: OldFrame['values'], count: number): string[] {
  if (values.length < count) throw new WireError('format', `${values.length} values instead of ${count}`)
  return values.slice(0, count).map((value) => {
    if (!(value instanceof Uint8Array)) throw new WireError('format', 'a number instead of a text')
    try {
      return UTF8.decode(value)
    } catch {
      throw new WireError('value', 'a text that is not UTF-8')
    }
  })
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
