import type { ChatMessage } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Asks } from './asks.ts'
import type { ChatQueues } from './chat-queues.ts'
import { chatWith, laneOf } from './chats.ts'
import type { Effects, Recipient } from './effects.ts'
import type { Elsewhere } from './elsewhere.ts'
import type { RunLimit } from './run-limit.ts'
import { isEvent, type Work } from './work.ts'

export interface AskOptions<Choice extends string> {
  /** The only answers there are, in whatever case; they are shown after the question. Anything else is no answer. */
  readonly options?: readonly Choice[]
  /** Milliseconds, from the moment the question was sent; a restart of the bot does not renew them. Default 5 minutes. */
  readonly timeout?: number
  /** Who is asked in a group; others’ messages are no answers. */
  readonly from?: string
  /** In place of the question’s own key, as for `send`. */
  readonly key?: string
}

export interface Answer<Choice extends string = string> extends ChatMessage {
  /** The option as it stands in `options`; without options the text. */
  readonly choice: Choice
}

const DEFAULT_TIMEOUT_MS = 300_000
/** How long a question whose time was over while the bot was away still waits for an answer that came in time. */
const CATCH_UP_MS = 2000

export interface AskingParts {
  readonly asks: Asks
  readonly queues: ChatQueues<Work>
  readonly elsewhere: Elsewhere
  readonly clock: Clock
}

/** How one run of a handler asks. */
export class Asking {
  readonly #parts: AskingParts
  readonly #effects: Effects
  readonly #giveUp: (reason: unknown) => void
  readonly #over = new AbortController()
  readonly #work: Work
  readonly #limit: RunLimit

  /** @param run.giveUp ends the run: its question can only be answered after a restart */
  constructor(
    parts: AskingParts,
    run: { effects: Effects; giveUp(reason: unknown): void; work: Work; limit: RunLimit },
  ) {
    this.#parts = parts
    this.#effects = run.effects
    this.#giveUp = run.giveUp
    this.#work = run.work
    this.#limit = run.limit
    parts.elsewhere.begin(run.work.key)
  }

  /** The run has ended: what it still asks is not waited for any more. */
  end() {
    this.#over.abort()
  }

  async ask<Choice extends string>(
    to: Recipient,
    question: string,
    { options, timeout = DEFAULT_TIMEOUT_MS, from, key }: AskOptions<Choice>,
  ): Promise<Answer<Choice> | undefined> {
    const { asks, queues, clock } = this.#parts
    const lane = laneOf(chatWith(to))
    const text = options === undefined ? question : `${question} (${options.join(' / ')})`
    const choose = (message: ChatMessage) => choiceOf(message.text, options)
    const asked = await this.#announce(to)
    let answer: Promise<ChatMessage | undefined>
    let id: number
    try {
      const sent = await this.#effects.send(to, text, key === undefined ? {} : { key })
      id = sent.id
      const known = this.#work.answers.get(id)
      if (known !== undefined) return { ...known, choice: choose(known) as Choice }
      // Two clocks may differ: the server's counts only where this one did not see the beginning.
      const end = sent.repeat ? sent.sentAt.getTime() + timeout : clock.time() + timeout
      const isAsked = (message: ChatMessage) =>
        message.id > id && (from === undefined || message.from.toLowerCase() === from.toLowerCase())
      const fits = (message: ChatMessage) =>
        isAsked(message) && choose(message) !== undefined && !(sent.repeat && message.sentAt.getTime() > end)
      const early = withdrawn(queues.withdraw(lane, (work) => isEvent(work) && fits(work.message)))
      const until = sent.repeat ? Math.max(end, clock.time() + CATCH_UP_MS) : end
      const isPrivate = typeof to === 'string'
      answer =
        early !== undefined
          ? Promise.resolve(early)
          : asks.wait({
              lane,
              fits,
              until,
              over: this.#over.signal,
              ...(isPrivate && options !== undefined && { hint: `Please answer with ${options.join(' or ')}.` }),
            })
    } finally {
      asked()
    }
    const message = await this.#waitFor(answer)
    if (message === undefined) return undefined
    this.#work.answers.set(id, message)
    return { ...message, choice: choose(message) as Choice }
  }

  async #waitFor(answer: Promise<ChatMessage | undefined>): Promise<ChatMessage | undefined> {
    try {
      return await this.#limit.pauseDuring(this.#parts.queues.yieldDuring(this.#work, answer))
    } catch (error) {
      this.#giveUp(error)
      throw error
    }
  }

  /** In another chat an answer may come before the question is known to be sent: nothing is begun there until it is. */
  async #announce(to: Recipient): Promise<() => void> {
    const { queues, elsewhere } = this.#parts
    const work = this.#work
    const chat = chatWith(to)
    if (laneOf(chat) === laneOf(work.chat)) return () => {}
    const release = queues.hold(laneOf(chat))
    try {
      await elsewhere.asking(work.key, chat)
    } catch (error) {
      release()
      throw error
    }
    return () => {
      release()
      elsewhere.asked(work.key, chat)
    }
  }
}

/** What a text chooses; undefined if it is none of the options. */
function choiceOf(text: string, options: readonly string[] | undefined): string | undefined {
  const given = text.trim()
  if (options === undefined) return given
  return options.find((option) => option.toLowerCase() === given.toLowerCase())
}

const withdrawn = (work: Work | undefined): ChatMessage | undefined =>
  work !== undefined && isEvent(work) ? work.message : undefined
