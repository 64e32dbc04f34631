import { ALONE, isTransientFailure, Refused, Retries, type UserSession, type ValuesOf } from '../../core/index.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import { type MessageStored, SendMessage } from '../messages/messages.ts'
import { StreamMoved, StreamWanted } from './events.ts'
import { FAILURES } from './failures.ts'
import { Followers } from './followers.ts'
import type { CloseStream } from './messages.ts'
import { Outlet } from './outlet.ts'
import type { Parts } from './parts.ts'
import { type NewStream, Stream } from './stream.ts'

/** End of a text whose sender has left. */
const INTERRUPTED = '… (interrupted)'

/** How often other nodes are told that a stream is still open. */
const TELL_MS = 5000

type Posted = ValuesOf<typeof MessageStored>
type Style = Pick<ValuesOf<typeof CloseStream>, 'font' | 'fontSize' | 'color'>

const isTransient = (error: unknown) => error instanceof Refused && isTransientFailure(error.code)

/** The open streams. At its end a stream becomes a message by the request that sends any other. */
export class Streams {
  readonly followers = new Followers()
  readonly #parts: Parts
  readonly #byId = new Map<number, Stream>()
  /** By user and conversation. */
  readonly #byUser = new Map<number, Map<string, Stream>>()
  readonly #retries: Retries

  constructor(parts: Parts) {
    const { app, log } = parts
    this.#parts = parts
    this.#retries = new Retries(app, isTransient, (error) => log.warn({ err: error }, 'cannot store a stream'))
    app.status(() => ({ streams: this.#byId.size }))
    app.onStop(() => {
      for (const stream of this.#byId.values()) this.#end(stream, 0)
    })
    if (app.cluster !== ALONE) this.#serveOthers()
  }

  #serveOthers() {
    const { app } = this.#parts
    app.on(StreamWanted, ({ node, id }) => {
      if (node === app.cluster.node) this.#byId.get(id)?.view.tellFrom(0)
    })
    app.on(StreamMoved, ({ node, userId, key, clientId }) => {
      const stream = node === app.cluster.node ? undefined : this.#find(userId, key)
      // Its program goes on with it on another node.
      if (stream?.clientId === clientId) this.#end(stream, 0)
    })
    app.every(TELL_MS, () => {
      for (const { view } of this.#byId.values()) view.refresh()
    })
  }

  /** Opens a stream, or resumes the one with this client id. @throws Refused `too_many` */
  async open(session: UserSession, wanted: NewStream): Promise<Stream> {
    const { app } = this.#parts
    const { id: userId } = session.user
    const { key } = wanted.target
    for (let open = this.#find(userId, key); open !== undefined; open = this.#find(userId, key)) {
      if (open.closing !== undefined) await open.closing
      else if (open.clientId === wanted.clientId) return this.#attach(open, session)
      else if (open.session === undefined) await this.#interrupt(open)
      else throw new Refused('too_many', 'you have an open stream in this conversation; close it first')
    }
    const { clientId } = wanted
    const { node } = app.cluster
    if (clientId !== '') app.share(StreamMoved, { node, userId, key, clientId })
    return this.#attach(this.#add(session, wanted), session)
  }

  /** An open stream of this session. @throws Refused `no_stream` */
  own(session: UserSession, id: number): Stream {
    const stream = this.#byId.get(id)
    if (stream === undefined || stream.session !== session || stream.closing !== undefined)
      throw new Refused(FAILURES.no_stream)
    return stream
  }

  /** Sends the text as a message. After a transient failure the stream is still open. @throws Refused as for a message */
  close(session: UserSession, { stream: id, text: given, ...style }: ValuesOf<typeof CloseStream>): Promise<Posted> {
    const stream = this.own(session, id)
    const text = given || stream.text.from(0)
    if (text === '')
      throw new Refused('invalid_value', 'the stream has no text: send `discard_stream` to end it without a message')
    return this.#closing(stream, async () => {
      try {
        const posted = await post(session, stream, { text, clientId: stream.clientId, ...style })
        this.#end(stream, posted.id)
        return posted
      } catch (error) {
        if (!isTransient(error)) this.#end(stream, 0)
        throw error
      }
    })
  }

  discard(session: UserSession, id: number) {
    this.#end(this.own(session, id), 0)
  }

  #find(userId: number, key: string): Stream | undefined {
    return this.#byUser.get(userId)?.get(key)
  }

  #add({ user }: UserSession, wanted: NewStream): Stream {
    const { app, limits, log } = this.#parts
    const ofUser = this.#byUser.get(user.id) ?? new Map<string, Stream>()
    if (ofUser.size >= limits.streams) throw new Refused('too_many', 'you have too many open streams; close one first')
    const stream: Stream = new Stream(user, wanted, {
      clock: app.clock,
      log,
      followers: this.followers,
      pause: limits.streamPause,
      onRefused: () => this.#end(stream, 0),
      outlet: app.cluster === ALONE ? undefined : (viewed) => new Outlet(app, viewed),
    })
    this.#byId.set(stream.id, stream)
    this.#byUser.set(user.id, ofUser.set(wanted.target.key, stream))
    stream.deadline = app.clock.after(limits.streamTime, () => void this.#interrupt(stream)).unref()
    stream.view.refresh()
    return stream
  }

  #attach(stream: Stream, session: UserSession): Stream {
    stream.grace?.cancel()
    if (stream.session === session) return stream
    stream.session = session
    void session.closed.then(() => {
      if (stream.session !== session) return
      stream.session = undefined
      this.#awaitResume(stream)
    })
    return stream
  }

  /** Gives a sender without a session time to come back. */
  #awaitResume(stream: Stream) {
    if (stream.isOver || stream.closing !== undefined || stream.session !== undefined) return
    const { app, limits } = this.#parts
    stream.grace?.cancel()
    stream.grace = app.clock.after(limits.streamGrace, () => void this.#interrupt(stream)).unref()
  }

  /** Stores the text so far. Does not reject: the sender has left, or has had its time. */
  async #interrupt(stream: Stream) {
    while (stream.closing !== undefined) await stream.closing
    if (stream.isOver) return
    await this.#closing(stream, async () => {
      const id = stream.text.length === 0 ? 0 : await this.#storeInterrupted(stream)
      this.#end(stream, id)
    })
  }

  /** Id of the stored message; 0 if it was refused. */
  async #storeInterrupted(stream: Stream): Promise<number> {
    const { app, conversations } = this.#parts
    const room = conversations.maxText - Buffer.byteLength(INTERRUPTED)
    const message = { text: stream.text.upTo(room) + INTERRUPTED, clientId: stream.interruptedId }
    const session = app.onBehalfOf(stream.user)
    return (await this.#retries.until(() => post(session, stream, message)))?.id ?? 0
  }

  /** Lets one end of a stream run at a time. */
  async #closing<T>(stream: Stream, work: () => Promise<T>): Promise<T> {
    const working = work()
    const done = () => {
      stream.closing = undefined
      this.#awaitResume(stream)
    }
    stream.closing = working.then(done, done)
    return working
  }

  #end(stream: Stream, id: number) {
    if (stream.isOver) return
    stream.isOver = true
    stream.deadline?.cancel()
    stream.grace?.cancel()
    this.#byId.delete(stream.id)
    const ofUser = this.#byUser.get(stream.user.id)
    ofUser?.delete(stream.target.key)
    if (ofUser?.size === 0) this.#byUser.delete(stream.user.id)
    stream.view.end(id)
  }
}

/** Sends the message of a stream: with all rules, hooks and listeners. @throws Refused */
function post(
  session: UserSession,
  { target: { to, group }, hops, replyTo }: Stream,
  message: { readonly text: string; readonly clientId: string } & Partial<Style>,
): Promise<Posted> {
  // The request that ends the stream has been rated.
  const options = { rated: false }
  return group === ''
    ? session.request(SendMessage, { to, hops, replyTo, ...message }, options)
    : session.request(ChatroomMessage, { group, hops, replyTo, ...message }, options)
}
