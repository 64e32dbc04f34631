import type { ChatMessage } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import type { ChatQueues } from './chat-queues.ts'
import { chatWith, laneOf } from './chats.ts'
import type { CrossChatQuestions } from './cross-chat-questions.ts'
import type { Effects, Recipient } from './effects.ts'
import type { OpenQuestions } from './open-questions.ts'
import type { RunLimit } from './run-limit.ts'
import { isEvent, type Work } from './work.ts'

export interface AskOptions<Choice extends string> {
  /** The accepted answers, in any case; appended to the question. Other texts are not answers. */
  readonly options?: readonly Choice[]
  /** Milliseconds since the question was sent; a restart of the bot does not reset them. Default 5 minutes. */
  readonly timeout?: number
  /** In a group, the member who is asked; messages of others are not answers. */
  readonly from?: string
  /** Idempotency key in place of the automatic one, as for `send`. */
  readonly key?: string
}

export interface Answer<Choice extends string = string> extends ChatMessage {
  /** The option as written in `options`; without options, the trimmed text. */
  readonly choice: Choice
}

const DEFAULT_TIMEOUT_MS = 300_000
/** Wait for an answer from the backlog when the question's time ran out while the bot was offline. */
const CATCH_UP_MS = 2000

export interface AskerParts {
  readonly questions: OpenQuestions
  readonly queues: ChatQueues<Work>
  readonly crossChat: CrossChatQuestions
  readonly clock: Clock
}

/** Asks questions for one run of a handler. */
export class Asker {
  readonly #parts: AskerParts
  readonly #effects: Effects
  readonly #abandon: (reason: unknown) => void
  readonly #ended = new AbortController()
  readonly #work: Work
  readonly #limit: RunLimit

  /** @param run.abandon ends the run; its event, and so its question, comes again after a restart */
  constructor(
    parts: AskerParts,
    run: { effects: Effects; abandon(reason: unknown): void; work: Work; limit: RunLimit },
  ) {
    this.#parts = parts
    this.#effects = run.effects
    this.#abandon = run.abandon
    this.#work = run.work
    this.#limit = run.limit
    parts.crossChat.begin(run.work.key)
  }

  /** The run has ended: closes its open questions. */
  end() {
    this.#ended.abort()
  }

  async ask<Choice extends string>(
    to: Recipient,
    question: string,
    { options, timeout = DEFAULT_TIMEOUT_MS, from, key }: AskOptions<Choice>,
  ): Promise<Answer<Choice> | undefined> {
    const { questions, queues, clock } = this.#parts
    const lane = laneOf(chatWith(to))
    const text = options === undefined ? question : `${question} (${options.join(' / ')})`
    const choose = (message: ChatMessage) => choiceOf(message.text, options)
    const release = await this.#holdChat(to)
    let answer: Promise<ChatMessage | undefined>
    let id: number
    try {
      const sent = await this.#effects.send(to, text, key === undefined ? {} : { key })
      id = sent.id
      const known = this.#work.answers.get(id)
      if (known !== undefined) return { ...known, choice: choose(known) as Choice }
      // The clocks may differ: the server's is used only for a question sent before a restart.
      const end = sent.repeat ? sent.sentAt.getTime() + timeout : clock.time() + timeout
      const isFromAsked = (message: ChatMessage) =>
        message.id > id && (from === undefined || message.from.toLowerCase() === from.toLowerCase())
      const isAnswer = (message: ChatMessage) =>
        isFromAsked(message) && choose(message) !== undefined && !(sent.repeat && message.sentAt.getTime() > end)
      const queued = messageOf(queues.withdraw(lane, (work) => isEvent(work) && isAnswer(work.message)))
      const deadline = sent.repeat ? Math.max(end, clock.time() + CATCH_UP_MS) : end
      const isPrivate = typeof to === 'string'
      answer =
        queued !== undefined
          ? Promise.resolve(queued)
          : questions.wait({
              lane,
              isAnswer,
              deadline,
              signal: this.#ended.signal,
              ...(isPrivate && options !== undefined && { hint: `Please answer with ${options.join(' or ')}.` }),
            })
    } finally {
      release()
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
      this.#abandon(error)
      throw error
    }
  }

  /** Holds another chat until the question is known to be sent: its answer may come before that. */
  async #holdChat(to: Recipient): Promise<() => void> {
    const { queues, crossChat } = this.#parts
    const work = this.#work
    const chat = chatWith(to)
    if (laneOf(chat) === laneOf(work.chat)) return () => {}
    const release = queues.hold(laneOf(chat))
    try {
      await crossChat.sending(work.key, chat)
    } catch (error) {
      release()
      throw error
    }
    return () => {
      release()
      crossChat.sent(work.key, chat)
    }
  }
}

/** The option that a text names; undefined if none. Without options, the trimmed text. */
function choiceOf(text: string, options: readonly string[] | undefined): string | undefined {
  const trimmed = text.trim()
  if (options === undefined) return trimmed
  return options.find((option) => option.toLowerCase() === trimmed.toLowerCase())
}

const messageOf = (work: Work | undefined): ChatMessage | undefined =>
  work !== undefined && isEvent(work) ? work.message : undefined
