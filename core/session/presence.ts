import type { Clock } from '../clock.ts'
import { encode, type InputOf, type ServerMessage } from '../wire/index.ts'
import type { User, UserSession } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Least time between two announcements about one user. */
const PAUSE_MS = 2000
/** Sessions told in one turn of the event loop. */
const SLICE = 200

export interface PresenceParts {
  readonly clock: Clock
  readonly sessions: Sessions
  /** Pushes about one user per second, on the long average. */
  readonly rate: number
  /** Announces that a user is here or not; resolves with the number of pushes. Must not reject. */
  announce(user: User, online: boolean): Promise<number>
}

/**
 * Announces who comes and goes. The first change is announced at once; then, for two seconds or as long as so many
 * pushes take at the allowed rate, changes of the same user are only noted, and what they came to is announced once. So
 * logging in and out over and over costs little, however many have to be told.
 */
export class Presence {
  readonly #parts: PresenceParts
  /** Users who were announced as being here. */
  readonly #here = new Set<number>()
  /** Users about whom nothing is announced for a while. */
  readonly #resting = new Set<number>()
  #stopped = false

  constructor(parts: PresenceParts) {
    this.#parts = parts
  }

  /** A session of the user began or ended. */
  changed({ user }: UserSession) {
    if (!this.#resting.has(user.id)) void this.#announce(user)
  }

  stop() {
    this.#stopped = true
  }

  async #announce(user: User) {
    const { clock, sessions, rate, announce } = this.#parts
    const online = sessions.of(user.id).size > 0
    if (this.#stopped || online === this.#here.has(user.id)) return
    if (online) this.#here.add(user.id)
    else this.#here.delete(user.id)
    this.#resting.add(user.id)
    const pushes = await announce(user, online)
    const goOn = () => {
      this.#resting.delete(user.id)
      void this.#announce(user)
    }
    clock.after(Math.max(PAUSE_MS, (pushes / rate) * 1000), goOn).unref()
  }
}

/**
 * Tells all sessions of many users the same: encoded once, and with a turn of the event loop for others after each slice.
 * @param mayHear asked of each user at the moment that it is told
 * @returns the number of sessions told
 */
export async function tellMany<M extends ServerMessage>(
  sessions: Sessions,
  userIds: Iterable<number>,
  message: M,
  values: InputOf<M>,
  mayHear: (userId: number) => boolean = () => true,
): Promise<number> {
  let bytes: Buffer | undefined
  let told = 0
  for (const userId of userIds) {
    if (!mayHear(userId)) continue
    for (const session of sessions.of(userId)) {
      // A session that reads too slowly goes without.
      if (!session.writable) continue
      bytes ??= encode(message, 0, values)
      session.sendEncoded(bytes)
      if (++told % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return told
}
