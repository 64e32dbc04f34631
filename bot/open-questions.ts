import type { ChatMessage } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'

/** A question that was sent and waits for its answer. */
export interface Question {
  /** Lane of the chat in which the answer is expected. */
  readonly lane: string
  /** Whether the message answers the question. */
  isAnswer(message: ChatMessage): boolean
  /** Reply to a message in this chat that is not an answer; undefined: such messages are handled as usual. */
  readonly hint?: string
  /** Deadline by the clock, milliseconds since 1970. */
  readonly deadline: number
  /** Aborted when the run that asks has ended; messages are then handled as usual. */
  readonly signal: AbortSignal
}

interface OpenQuestion extends Question {
  settle(answer: ChatMessage | undefined): void
  fail(reason: unknown): void
}

/** Longest delay of one timer. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The open questions of a bot, oldest first. */
export class OpenQuestions {
  readonly #clock: Clock
  readonly #open = new Set<OpenQuestion>()
  #abandoned: Error | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Gives a message to the oldest question that it answers. True if there is one; else a hint for its sender, or false. */
  take(lane: string, message: ChatMessage): boolean | { readonly hint: string } {
    const here = [...this.#open].filter((question) => question.lane === lane)
    const answered = here.find((question) => question.isAnswer(message))
    answered?.settle(message)
    const hint = here.find((question) => question.hint !== undefined)?.hint
    return answered !== undefined || (hint !== undefined && { hint })
  }

  /** Whether a question is open in that lane. */
  has(lane: string): boolean {
    return [...this.#open].some((question) => question.lane === lane)
  }

  /** Resolves with the answer, or undefined at the deadline; rejects when the questions are abandoned. */
  wait(question: Question): Promise<ChatMessage | undefined> {
    if (this.#abandoned !== undefined) return Promise.reject(this.#abandoned)
    if (question.signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      const left = Math.max(0, question.deadline - this.#clock.time())
      const expire = () => open.settle(undefined)
      const timer = this.#clock.after(Math.min(left, MAX_TIMER_MS), expire)
      const end = () => {
        timer.cancel()
        question.signal.removeEventListener('abort', expire)
        this.#open.delete(open)
      }
      const open: OpenQuestion = {
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
      question.signal.addEventListener('abort', expire)
      this.#open.add(open)
    })
  }

  /** Rejects all open questions, and later ones. */
  abandon(reason: Error) {
    this.#abandoned = reason
    for (const question of this.#open) question.fail(reason)
  }

  /** Expires the oldest question before its deadline; false if there is none. */
  expireOldest(): boolean {
    const [oldest] = this.#open
    oldest?.settle(undefined)
    return oldest !== undefined
  }
}
