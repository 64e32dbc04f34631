import type { Clock } from '../clock.ts'
import { Refused, SetupError } from '../errors.ts'

/** How a `before` hook runs, and what becomes of a message for which the hook itself fails. */
export interface BeforeOptions {
  /** Hooks of a lower order run first; 0 if left out. Equal ones run as they were registered: in plugin order. */
  readonly order?: number
  /** Milliseconds until an answer that is awaited counts as a failure; 5000 if left out. */
  readonly timeout?: number
  /** `closed`, the default: a message for which the hook fails is refused. `open`: it passes, unchanged by this hook. */
  readonly failure?: 'closed' | 'open'
  /**
   * Refusal sent when a failure of the hook refuses the message; if left out `internal`, after the time limit `unavailable`.
   * The code is `plugin.reason`.
   */
  readonly refusal?: { readonly code: `${string}.${string}`; readonly text: string }
}

/** The options with all defaults filled in. */
export interface Rule {
  readonly order: number
  readonly timeout: number
  readonly failure: 'closed' | 'open'
  readonly refusal: BeforeOptions['refusal']
}

/** Description of a message's rule, for `chatctl plugin info`. */
export interface RuleFacts {
  readonly message: string
  readonly order: number
  readonly timeout: number
  readonly failure: 'closed' | 'open'
  /** Its own code for a failure. */
  readonly refusal?: string
}

const TIMEOUT_MS = 5000

/** Longest delay of a timer. */
const LONGEST_MS = 2 ** 31 - 1

/** @throws SetupError for invalid options, which a plugin in JavaScript can pass */
export function ruleOf(options: BeforeOptions, where: string): Rule {
  const { order = 0, timeout = TIMEOUT_MS, failure = 'closed', refusal } = options
  if (!Number.isFinite(order)) throw new SetupError(`${where}: order is a number`)
  if (!(timeout > 0 && timeout <= LONGEST_MS))
    throw new SetupError(`${where}: timeout is milliseconds, from 1 to ${LONGEST_MS}`)
  if (failure !== 'closed' && failure !== 'open') throw new SetupError(`${where}: failure is "closed" or "open"`)
  if (refusal !== undefined && !(refusal.code?.includes('.') && typeof refusal.text === 'string'))
    throw new SetupError(`${where}: refusal is { code: "plugin.reason", text: "…" }`)
  return { order, timeout, failure, refusal }
}

/** Pause before a message may be repeated whose hook did not answer in time. */
const RETRY_MS = 1000

/** The refusal for a message whose hook failed. */
export function refusalOf({ refusal }: Rule, error: unknown): Refused {
  if (refusal !== undefined) return new Refused(refusal.code, refusal.text)
  if (!(error instanceof HookTimeout)) return new Refused('internal')
  // It says nothing about the message: the database is slow, or the server was paused.
  return new Refused('unavailable', 'a check of the request took too long; retry later', { retryAfter: RETRY_MS })
}

/** One run of a hook, as the hook sees it. */
export class HookRun {
  #isOver = false
  #controller: AbortController | undefined

  /** Aborted at the time limit: the answer is no longer awaited. */
  get signal(): AbortSignal {
    // Most hooks answer at once and never ask.
    this.#controller ??= new AbortController()
    if (this.#isOver) this.#controller.abort()
    return this.#controller.signal
  }

  timeOut() {
    this.#isOver = true
    this.#controller?.abort()
  }
}

/** A hook did not answer within its time. */
export class HookTimeout extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`)
    this.name = 'HookTimeout'
  }
}

/** Resolves with a hook's answer, or rejects with HookTimeout. A later answer or error is dropped. */
export function withinTime(answer: PromiseLike<unknown>, run: HookRun, ms: number, clock: Clock): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = clock
      .after(ms, () => {
        reject(new HookTimeout(ms))
        run.timeOut()
      })
      .unref()
    // Through a promise of our own: what plugins return may throw when it is awaited.
    Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}
