import { type App, SessionDrained, type UserSession } from '../../core/index.ts'

/** Back-pressure of sessions: work that waits until the peer has read what it was sent. */
export class Drains {
  readonly #waiting = new WeakMap<UserSession, (() => void)[]>()

  constructor(app: App) {
    app.on(SessionDrained, (session) => this.#wake(session))
  }

  /** Resolves when the session can take more, or has ended. */
  async writable(session: UserSession) {
    while (session.open && !session.writable) {
      const waiting = this.#waiting.get(session)
      await new Promise<void>((resolve) => {
        if (waiting !== undefined) return void waiting.push(resolve)
        this.#waiting.set(session, [resolve])
        // Once for each session: a promise keeps all its listeners.
        void session.closed.then(() => this.#wake(session))
      })
    }
  }

  #wake(session: UserSession) {
    for (const resume of this.#waiting.get(session)?.splice(0) ?? []) resume()
  }
}
