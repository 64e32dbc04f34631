import type { ChatMessage } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'

/** A question that was sent and waits for its answer. */
export interface Question {
  /** Where the answer is to come. */
  readonly lane: string
  /** Whether that message is the answer. */
  fits(message: ChatMessage): boolean
  /** What to say to whoever is asked and answers something else; undefined: nothing, it is no concern of the question. */
  readonly hint?: string
  /** By the clock, milliseconds since 1970. */
  readonly until: number
  /** Aborted when the run that asks is over: nobody waits for the answer any more, and it is a message like any other. */
  readonly over: AbortSignal
}

interface Open extends Question {
  settle(answer: ChatMessage | undefined): void
  fail(reason: unknown): void
}

/** Longest time that one timer takes, milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The open questions of a bot, oldest first. */
export class Asks {
  readonly #clock: Clock
  readonly #open = new Set<Open>()
  #abandoned: Error | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Hands a message to the oldest question that it answers. True if there was one, or a hint for who sent it. */
  take(lane: string, message: ChatMessage): boolean | { readonly hint: string } {
    const here = [...this.#open].filter((ask) => ask.lane === lane)
    const answered = here.find((ask) => ask.fits(message))
    answered?.settle(message)
    const hint = here.find((ask) => ask.hint !== undefined)?.hint
    return answered !== undefined || (hint !== undefined && { hint })
  }

  /** Whether a question waits there. */
  has(lane: string): boolean {
    return [...this.#open].some((ask) => ask.lane === lane)
  }

  /** Resolves with the answer, undefined when none came in time; rejects when the questions are abandoned. */
  wait(question: Question): Promise<ChatMessage | undefined> {
    if (this.#abandoned !== undefined) return Promise.reject(this.#abandoned)
    if (question.over.aborted) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      const left = Math.max(0, question.until - this.#clock.time())
      const timer = this.#clock.after(Math.min(left, LONGEST_TIMER), () => ask.settle(undefined))
      const unwanted = () => ask.settle(undefined)
      const end = () => {
        timer.cancel()
        question.over.removeEventListener('abort', unwanted)
        this.#open.delete(ask)
      }
      const ask: Open = {
        ...question,
        settle(answer) {
          end()
          resolve(answer)
        },
        fail(reason) {
          end()
          reject(reason)
        },
      }
      question.over.addEventListener('abort', unwanted)
      this.#open.add(ask)
    })
  }

  /** Nobody waits any more, now or later. */
  abandon(reason: Error) {
    this.#abandoned = reason
    for (const ask of this.#open) ask.fail(reason)
  }

  /** Ends the oldest question as if its time were over; false if there is none. */
  giveUpOldest(): boolean {
    const [oldest] = this.#open
    oldest?.settle(undefined)
    return oldest !== undefined
  }
}
