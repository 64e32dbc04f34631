import type { Logger } from 'pino'
import { type Clock, Push, Refused, type Timer, type UserSession } from '../../core/index.ts'
import type { Followers } from './followers.ts'
import { StreamChanged, StreamClosed, StreamOpened } from './messages.ts'
import type { Outlet } from './outlet.ts'
import type { Viewed } from './viewed.ts'

export interface ViewParts {
  readonly clock: Clock
  readonly log: Logger
  readonly followers: Followers
  /** Milliseconds between two pushes. */
  readonly pause: number
  /** The sender may not write to the conversation any more. */
  readonly onRefused: () => void
  /** The way to other nodes, if there are any and the stream is of this one. */
  readonly outlet?: ((stream: Viewed) => Outlet) | undefined
}

/**
 * What followers see of one stream. They get what they lack of the text at most once a pause, so several changes make one
 * push; a session under back-pressure gets nothing and catches up with a later push.
 */
export class StreamView {
  readonly #parts: ViewParts
  readonly #stream: Viewed
  /** Bytes of the text that each session has. */
  readonly #shown = new Map<UserSession, number>()
  readonly #outlet: Outlet | undefined
  #timer: Timer | undefined
  #isPushing = false
  #isStale = false
  #last = Number.NEGATIVE_INFINITY
  #isOver = false

  constructor(parts: ViewParts, stream: Viewed) {
    this.#parts = parts
    this.#stream = stream
    this.#outlet = parts.outlet?.(stream)
  }

  /** The text has changed from that offset on. */
  changed(at: number) {
    for (const [session, shown] of this.#shown) if (shown > at) this.#shown.set(session, at)
    this.tellFrom(at)
  }

  /** Other nodes lack the text from that offset on. */
  tellFrom(at: number) {
    this.#outlet?.changed(at)
    this.refresh()
  }

  /** Pushes what followers lack, now or after the pause. */
  refresh() {
    const { clock, followers, pause } = this.#parts
    if (this.#isOver || (followers.isEmpty && this.#outlet === undefined)) return
    this.#isStale = true
    if (this.#isPushing || this.#timer !== undefined) return
    const wait = this.#last + pause - clock.now()
    if (wait <= 0) return void this.#push()
    this.#timer = clock
      .after(wait, () => {
        this.#timer = undefined
        void this.#push()
      })
      .unref()
  }

  /** @param id of the message that the stream has become; 0 for none */
  end(id: number) {
    this.#isOver = true
    this.#timer?.cancel()
    const push = new Push(StreamClosed, { stream: this.#stream.id, id })
    // Not droppable: few bytes, only to sessions that were writable when the stream was opened for them.
    for (const session of this.#shown.keys()) session.push(push)
    this.#shown.clear()
    this.#outlet?.end(id)
  }

  async #push() {
    const { clock, log, onRefused } = this.#parts
    this.#isPushing = true
    this.#isStale = false
    this.#last = clock.now()
    try {
      // Checked anew each time: a reader may have blocked the sender, or left the group.
      const readers = await this.#stream.target.readers()
      if (!this.#isOver) this.#show(readers)
      if (!this.#isOver) this.#outlet?.tell(readers)
    } catch (error) {
      if (error instanceof Refused) onRefused()
      else log.warn({ err: error }, 'cannot show a growing text')
    } finally {
      this.#isPushing = false
    }
    if (this.#isStale) this.refresh()
  }

  #show(readers: readonly number[]) {
    const pushes = new Map<number, Push>()
    const present = new Set<UserSession>()
    for (const id of readers)
      for (const session of this.#parts.followers.of(id)) {
        if (session === this.#stream.session) continue
        present.add(session)
        if (session.writable) this.#complete(session, pushes)
      }
    for (const session of this.#shown.keys()) if (!present.has(session)) this.#hide(session)
  }

  /** @param pushes encoded once for all sessions that lack the same */
  #complete(session: UserSession, pushes: Map<number, Push>) {
    const { id, user, target, hops, replyTo, text } = this.#stream
    const shown = this.#shown.get(session)
    if (shown === undefined)
      session.send(StreamOpened, { stream: id, from: user.name, to: target.to, group: target.group, hops, replyTo })
    const at = shown ?? 0
    if (at < text.length) {
      const push = pushes.get(at) ?? new Push(StreamChanged, { stream: id, at, text: text.from(at) })
      pushes.set(at, push)
      session.push(push)
    }
    this.#shown.set(session, text.length)
  }

  /** The session stopped following, or its user left the group. */
  #hide(session: UserSession) {
    this.#shown.delete(session)
    session.send(StreamClosed, { stream: this.#stream.id, id: 0 })
  }
}
