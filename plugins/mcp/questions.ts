import { QueryRoomHistory } from '../groups/messages.ts'
import { QueryHistory } from '../messages/messages.ts'
import { type Caller, NotAllowed } from './caller.ts'
import { type Call, lookUntil } from './looking.ts'
import { nameOf, type Rights, reach, type Target } from './rights.ts'
import { isOwn, type WireMessage } from './views.ts'

/** Begins the last line of a question, which tells how to answer. All state of a question is in its message. */
const MARK = '→ '
const SEPARATOR = ' / '
const ANY = '…'
/** A later answer does not count. */
const EXPIRY_MS = 24 * 3_600_000
/** Messages behind a question that are searched for its answer. */
const MAX_MESSAGES = 2000

export type Outcome =
  | {
      readonly state: 'answered'
      readonly ask: string
      readonly answer: string
      readonly by: string
      readonly id: number
      readonly at: string
      readonly trusted: false
    }
  | { readonly state: 'pending' | 'expired'; readonly ask: string; readonly note: string }

interface Asked {
  readonly target: Target
  readonly id: number
  readonly sentAt: number
  /** Undefined: any text is an answer. */
  readonly options: readonly string[] | undefined
}

/** The text of a question. */
export function questionText(question: string, options: readonly string[] | undefined): string {
  const unfit = options?.find((option) => option.trim() === '' || /[/\n]/.test(option) || option.trim() === ANY)
  if (unfit !== undefined) throw new NotAllowed('invalid_value', `"${unfit}" cannot be an option: no "/", one line`)
  return `${question}\n${MARK}${options?.map((option) => option.trim()).join(SEPARATOR) ?? ANY}`
}

/** The name under which `ask_result` finds a question: it holds all that is needed, also after a restart of anything. */
export const askId = (target: Target, id: number): string => `${nameOf(target)}/${id}`

/** Waits for the answer to questions of this user: by a person, in the conversation that was asked. */
export class Questions {
  readonly #caller: Caller
  readonly #rights: Rights

  constructor(caller: Caller, rights: Rights) {
    this.#caller = caller
    this.#rights = rights
  }

  /** @throws NotAllowed `no_question` */
  async await(ask: string, seconds: number, call: Call): Promise<Outcome> {
    const asked = await this.#find(ask)
    const answer = await lookUntil(this.#caller, call, seconds, () => this.#answer(asked))
    if (answer !== undefined)
      return {
        state: 'answered',
        ask,
        answer: choiceOf(answer.text, asked.options) ?? answer.text,
        by: answer.from,
        id: answer.id,
        at: new Date(answer.sentAt).toISOString(),
        trusted: false,
      }
    if (this.#caller.clock.time() - asked.sentAt > EXPIRY_MS)
      return { state: 'expired', ask, note: 'nobody answered within a day: take it as a no' }
    return { state: 'pending', ask, note: 'no answer yet: call `ask_result` with this `ask`; until then it is a no' }
  }

  async #find(ask: string): Promise<Asked> {
    const [, name = '', number = ''] = /^(.+)\/(\d{1,15})$/.exec(ask) ?? []
    const none = () => new NotAllowed('no_question', `there is no question "${ask}" of this agent`)
    if (name === '') throw none()
    const target = reach(this.#rights, name)
    const id = Number(number)
    const [message] = await this.#page(target, { around: id, limit: 1 })
    if (message?.id !== id || message.from !== this.#caller.user) throw none()
    const options = optionsOf(message.text)
    if (options === undefined) throw none()
    return { target, id, sentAt: message.sentAt, options: options.length === 0 ? undefined : options }
  }

  /**
   * The first answer. One that names another message answers that one; one that names none answers the last question before
   * it, as its writer has seen it. Programs do not answer.
   */
  async #answer(asked: Asked): Promise<WireMessage | undefined> {
    const { target, id, options, sentAt } = asked
    let last = id
    let after = id
    for (let seen = 0; seen < MAX_MESSAGES; ) {
      const page = await this.#page(target, { after, limit: 0 })
      for (const message of page) {
        if (isOwn(message, this.#caller.user)) {
          if (optionsOf(message.text) !== undefined) last = message.id
          continue
        }
        const isFor = message.replyTo === 0 ? last === id : message.replyTo === id
        if (!isFor || message.hops > 0 || message.sentAt - sentAt > EXPIRY_MS) continue
        if (choiceOf(message.text, options) !== undefined) return message
      }
      if (page.length === 0) return undefined
      seen += page.length
      after = page.at(-1)?.id ?? after
    }
    return undefined
  }

  async #page(
    target: Target,
    place: { readonly after?: number; readonly around?: number; readonly limit: number },
  ): Promise<WireMessage[]> {
    const { messages } = await ('group' in target
      ? this.#caller.request(QueryRoomHistory, { group: target.group, ...place })
      : this.#caller.request(QueryHistory, { with: target.user, ...place }))
    return messages
  }
}

/** The options of a question, none if any text is an answer; undefined for a text that is no question. */
function optionsOf(text: string): string[] | undefined {
  const line = text.slice(text.lastIndexOf('\n') + 1)
  if (!line.startsWith(MARK)) return undefined
  const answers = line.slice(MARK.length)
  return answers === ANY ? [] : answers.split(SEPARATOR)
}

/** The option that a text names; without options, the text. */
function choiceOf(text: string, options: readonly string[] | undefined): string | undefined {
  const said = text.trim().toLowerCase()
  return options === undefined ? text.trim() : options.find((option) => option.toLowerCase() === said)
}
