import { type Caller, isTransient } from './caller.ts'

/** Look again at least this often: the news may be lost with a connection. */
export const POLL_MS = 5000
/** Between two notes of progress, for which clients extend their time limit. */
const PROGRESS_MS = 1000
/** Longest wait of one call: clients give up after 60 s by default. */
export const MAX_SECONDS = 45

/** One call of a tool. */
export interface Call {
  /** Aborted when the caller has cancelled it, or has gone. */
  readonly signal: AbortSignal
  /** Tells the caller that the call is alive. */
  progress(seconds: number, ofSeconds: number): void
}

/**
 * Looks for something until it is there, at each news; undefined after `seconds`, or when the call is cancelled. A server that
 * restarts meanwhile is waited for.
 */
export async function lookUntil<T>(
  caller: Caller,
  { signal, progress }: Call,
  seconds: number,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const { clock } = caller
  const begun = clock.now()
  const end = begun + Math.min(seconds, MAX_SECONDS) * 1000
  const alarm = new Alarm()
  const onAbort = () => alarm.ring()
  signal.addEventListener('abort', onAbort, { once: true })
  const ticking = clock.every(PROGRESS_MS, () => progress(Math.round((clock.now() - begun) / 1000), seconds))
  let stop = () => {}
  try {
    stop = await caller.watch(() => alarm.ring())
    for (;;) {
      alarm.reset()
      const found = await look().catch((error: unknown) => {
        if (!isTransient(error)) throw error
        return undefined
      })
      const left = end - clock.now()
      if (found !== undefined || left <= 0 || signal.aborted) return found
      const timer = clock.after(Math.min(left, POLL_MS), () => alarm.ring())
      await alarm.rung
      timer.cancel()
    }
  } finally {
    stop()
    ticking.cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

/** Rings also for what happened before somebody waits for it. */
class Alarm {
  #ring: () => void = () => {}
  rung: Promise<void> = Promise.resolve()

  reset() {
    this.rung = new Promise((resolve) => {
      this.#ring = resolve
    })
  }

  ring() {
    this.#ring()
  }
}
