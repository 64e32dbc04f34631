import { type App, lruCache, Refused, type User } from '../../core/index.ts'
import { BotLoop } from './events.ts'
import { FAILURES } from './failures.ts'
import type { MessagesLimits } from './limits.ts'

/** Conversations of bots in memory. */
const CACHED_CHAINS = 10_000
/** Silence after which a chain of replies is over. */
const QUIET_MS = 60_000

/** Messages of bots in a conversation since the last message of a person, or since a silence. */
interface Chain {
  /** Hops of the last message. */
  hops: number
  /** Changes of speaker since `began`. */
  turns: number
  began: number
  last: number
  /** User id of the last speaker, which tells replies from reports. */
  speaker: number
  /** The last two programs that spoke, named in the event. */
  readonly bots: [last: User, before: User | undefined]
  /** True once BotLoop was emitted. */
  reported: boolean
}

/** A conversation, regardless of the sender. */
export interface Exchange {
  readonly key: string
  /** Name of the group; empty in private. */
  readonly group: string
}

/** The private conversation of two users, in either direction. */
export const exchangeOf = ({ id: one }: { readonly id: number }, { id: other }: { readonly id: number }): Exchange => ({
  key: `users ${Math.min(one, other)} ${Math.max(one, other)}`,
  group: '',
})

/**
 * Stops bots that answer each other. A program gives the hops of its message if it knows which one it answers. In
 * private a message after one of the other user counts as an answer, given or not. In a group bots also speak without
 * answering: only more changes of speaker than reports make count as a loop.
 */
export class Loops {
  readonly #app: App
  readonly #limits: MessagesLimits
  readonly #chains = lruCache<string, Chain>(CACHED_CHAINS)

  constructor(app: App, limits: MessagesLimits) {
    this.#app = app
    this.#limits = limits
  }

  /** Whether a message continues no chain, whatever its conversation: a person's, while no bot has written lately. */
  isQuiet(user: User, claimed: number): boolean {
    return claimed === 0 && user.role !== 'bot' && this.#chains.size === 0
  }

  /** A message that was stored by another node. @param sender undefined if it was a person */
  heard({ key, group }: Exchange, sender: User | undefined, hops: number) {
    if (sender === undefined) return restart(this.#chains.get(key), this.#app.clock.now())
    const chain = this.#chainOf(key, sender)
    if (sender.role === 'bot' || group === '') this.#add(chain, sender, hops)
  }

  /**
   * Length of the chain that a message continues; 0 for a person.
   * @param claimed given by the sender
   * @throws Refused `bot_loop`
   */
  hops({ key, group }: Exchange, user: User, claimed: number): number {
    const { botHops, botTurns } = this.#limits
    if (user.role !== 'bot' && claimed === 0) {
      restart(this.#chains.get(key), this.#app.clock.now())
      return 0
    }
    const chain = this.#chainOf(key, user)
    // The hops that programs of people give must not silence a group's bots.
    if (user.role !== 'bot' && group !== '' && claimed <= botHops) return claimed
    const isAnswer = chain.speaker !== user.id
    const answered = group === '' ? chain.hops + (isAnswer ? 1 : 0) : 0
    const hops = Math.max(1, claimed, answered)
    const turns = chain.turns + (isAnswer ? 1 : 0)
    if (hops > botHops || (group !== '' && turns > botTurns)) this.#refuse(chain, user, group, hops)
    this.#add(chain, user, hops)
    return hops
  }

  #add(chain: Chain, user: User, hops: number) {
    if (chain.speaker !== user.id) chain.turns++
    chain.hops = hops
    chain.last = this.#app.clock.now()
    chain.speaker = user.id
  }

  #chainOf(key: string, user: User): Chain {
    const now = this.#app.clock.now()
    let chain = this.#chains.get(key)
    if (chain === undefined) {
      chain = { hops: 0, turns: 0, began: now, last: now, speaker: user.id, bots: [user, undefined], reported: false }
      this.#chains.set(key, chain)
    } else if (now - chain.last >= QUIET_MS) restart(chain, now)
    else if (now - chain.began >= QUIET_MS) Object.assign(chain, { began: now, turns: 0 })
    const [last] = chain.bots
    if (last.id !== user.id) chain.bots.splice(0, 2, user, last)
    return chain
  }

  #refuse(chain: Chain, user: User, group: string, hops: number): never {
    const other = chain.bots.find((bot) => bot !== undefined && bot.id !== user.id)
    if (!chain.reported) {
      chain.reported = true
      this.#app.emit(BotLoop, { bots: [user.name, ...(other ? [other.name] : [])], group, hops })
    }
    const whom = other === undefined ? 'bots have' : `"${user.name}" and "${other.name}" have`
    throw new Refused(FAILURES.bot_loop, `${whom} answered each other too often; a person may go on, or wait a minute`)
  }
}

/** Keeps the speakers, so that a later event can name them. */
function restart(chain: Chain | undefined, now: number) {
  if (chain !== undefined) Object.assign(chain, { hops: 0, turns: 0, began: now, last: now, reported: false })
}
