/**
 * Called for each commit with messages, once their callers have their outcomes.
 * @param storeMs from the queueing of the first message to the commit
 * @param doneMs from there to the last outcome, which is after the fan-out
 */
export type OnCommit = (messages: number, storeMs: number, doneMs: number) => void

/** Measures commits. Once for each commit: a clock read for each message would cost too much. */
export class CommitTiming {
  readonly #onCommit: OnCommit
  #queuedAt = 0

  constructor(onCommit: OnCommit) {
    this.#onCommit = onCommit
  }

  /** The first message of the next commit was queued. */
  queued() {
    this.#queuedAt = performance.now()
  }

  /** A commit begins. Call `committed`, then its result once the callers have their outcomes. */
  begin(messages: number) {
    const queuedAt = this.#queuedAt
    return {
      committed: () => {
        const storeMs = performance.now() - queuedAt
        return () => {
          if (messages > 0) this.#onCommit(messages, storeMs, performance.now() - queuedAt)
        }
      },
    }
  }
}
