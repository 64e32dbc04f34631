import { type App, lruCache, Refused, type User } from '../../core/index.ts'
import { BotLoop } from './events.ts'
import { FAILURES } from './failures.ts'
import type { MessagesLimits } from './limits.ts'

/** Conversations in which bots have spoken lately. */
const KEPT = 10_000
/** Silence after which a chain of answers is over. */
const QUIET_MS = 60_000

/** Messages of bots in a conversation, since a person spoke in it or nobody did for a while. */
interface Chain {
  /** Hops of the last one. */
  hops: number
  /** How often one bot spoke after another one, since `began`. */
  turns: number
  began: number
  last: number
  /** Who spoke last, to tell answers from reports. */
  speaker: number
  /** The last two programs that spoke, to be named. */
  readonly bots: [last: User, before: User | undefined]
  /** Whether anybody was told that it goes round. */
  told: boolean
}

export interface Conversation {
  readonly key: string
  /** Empty in private. */
  readonly group: string
}

/**
 * Stops bots that answer each other. A program says how many hops its message has, if it knows what it answers. In
 * private whoever speaks after the other one has answered, said or not. In a group bots also speak without answering
 * anybody, so there only what no stream of reports does is taken for a loop.
 */
export class Loops {
  readonly #app: App
  readonly #limits: MessagesLimits
  readonly #chains = lruCache<string, Chain>(KEPT)

  constructor(app: App, limits: MessagesLimits) {
    this.#app = app
    this.#limits = limits
  }

  /**
   * How many hops a message has.
   * @param claimed what its sender says
   * @throws Refused `bot_loop`
   */
  hops({ key, group }: Conversation, user: User, claimed: number): number {
    const { botHops, botTurns } = this.#limits
    if (user.role !== 'bot' && claimed === 0) {
      if (this.#chains.size > 0) begin(this.#chains.get(key), this.#app.clock.now())
      return 0
    }
    const chain = this.#chainOf(key, user)
    const [last] = chain.bots
    if (last.id !== user.id) chain.bots.splice(0, 2, user, last)
    // What people's programs say of themselves is about their own messages: it must not silence a group's bots.
    if (user.role !== 'bot' && group !== '' && claimed <= botHops) return claimed
    const isAnswer = chain.speaker !== user.id
    const answered = group === '' ? chain.hops + (isAnswer ? 1 : 0) : 0
    const hops = Math.max(1, claimed, answered)
    const turns = chain.turns + (isAnswer ? 1 : 0)
    if (hops > botHops || (group !== '' && turns > botTurns)) this.#refuse(chain, user, group, hops)
    chain.hops = hops
    chain.turns = turns
    chain.last = this.#app.clock.now()
    chain.speaker = user.id
    return hops
  }

  #chainOf(key: string, user: User): Chain {
    const now = this.#app.clock.now()
    let chain = this.#chains.get(key)
    if (chain === undefined) {
      chain = { hops: 0, turns: 0, began: now, last: now, speaker: user.id, bots: [user, undefined], told: false }
      this.#chains.set(key, chain)
    } else if (now - chain.last >= QUIET_MS) begin(chain, now)
    else if (now - chain.began >= QUIET_MS) Object.assign(chain, { began: now, turns: 0 })
    return chain
  }

  #refuse(chain: Chain, user: User, group: string, hops: number): never {
    const other = chain.bots.find((bot) => bot !== undefined && bot.id !== user.id)
    if (!chain.told) {
      chain.told = true
      this.#app.emit(BotLoop, { bots: [user.name, ...(other ? [other.name] : [])], group, hops })
    }
    const whom = other === undefined ? 'bots have' : `"${user.name}" and "${other.name}" have`
    throw new Refused(FAILURES.bot_loop, `${whom} answered each other too often; a person may go on, or wait a minute`)
  }
}

/** The chain is over; who spoke in it is remembered, to be named. */
function begin(chain: Chain | undefined, now: number) {
  if (chain !== undefined) Object.assign(chain, { hops: 0, turns: 0, began: now, last: now, told: false })
}
