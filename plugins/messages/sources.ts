import { Refused, type User, type UserSession } from '../../core/index.ts'
import { MAX_COUNTED, type Part } from '../../db/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import type { Deliverable } from './deliverable.ts'
import { fitting } from './page.ts'
import type { Trail } from './search.ts'
import type { Position, Query, Source, Where } from './source.ts'
import { chargeCount } from './unread.ts'

/** Messages of several sources in one order, oldest first. */
export interface Page extends Part<Deliverable> {
  /** True if there may be more behind them, also if nothing was found. */
  readonly more: boolean
}

/** Where a user's messages are read from: a source for each sort of conversation. */
export class Sources {
  readonly #sources: Source[] = []
  readonly #readsSettled: (above?: number) => Promise<void>

  /** @param readsSettled resolves when acknowledged messages above an id no longer count as unread in the database */
  constructor(readsSettled: (above?: number) => Promise<void>) {
    this.#readsSettled = readsSettled
  }

  add(source: Source) {
    this.#sources.push(source)
  }

  /** The sources with messages of a kind; all for 0. */
  ofKind(kind: number): readonly Source[] {
    return kind === 0 ? this.#sources : this.#sources.filter(({ kinds }) => kinds.includes(kind))
  }

  /** A user's messages from some sources, at most `query.limit`. */
  async read(userId: number, query: Query, sources: readonly Source[] = this.#sources): Promise<Page> {
    if (query.unreadOnly) await this.#readsSettled(query.after)
    const parts = await Promise.all(sources.map((source) => source.load(userId, query)))
    const readTo = Math.min(...parts.map((part) => part.readTo ?? Number.POSITIVE_INFINITY))
    const merged = parts
      .flatMap(({ found }) => found)
      .filter(({ message }) => message.id <= readTo)
      .sort((a, b) => a.message.id - b.message.id)
    const found = merged.slice(0, query.limit)
    const endedEarly = readTo < Number.POSITIVE_INFINITY
    if (endedEarly && found.length < query.limit) return { found, more: true, readTo }
    const isFull = merged.length > query.limit || parts.some((part) => part.found.length >= query.limit)
    return { found, more: endedEarly || isFull }
  }

  /** Messages that a user has sent, by their ids, as far as the user may still read them, oldest first. */
  async sent(userId: number, only: readonly number[]): Promise<Deliverable[]> {
    const query = { after: 0, limit: only.length, unreadOnly: false, only, withSent: true }
    return (await this.read(userId, query)).found
  }

  /** A user's messages, as many as fit into a packet: at least one if there is one. Charges each read that found none. */
  async page(session: UserSession, query: Query): Promise<Page> {
    let page = await this.read(session.user.id, query)
    while (page.found.length === 0 && page.readTo !== undefined && session.open) {
      session.charge(1)
      page = await this.read(session.user.id, { ...query, after: page.readTo })
    }
    const { found, more } = page
    const fit = fitting(found.map(({ message }) => message))
    return { found: found.slice(0, fit), more: more || fit < found.length }
  }

  /**
   * Read positions of a user, one source after another.
   * @param cursor `next` of the read before: index of the source, plus the number of sources for each step in it; 0: the first
   */
  async positions(userId: number, cursor: number): Promise<{ found: Position[]; next: number }> {
    await this.#readsSettled()
    const count = this.#sources.length
    const nth = cursor % count
    const { found, next } = await (this.#sources[nth] as Source).positions(userId, Math.floor(cursor / count))
    const nextSource = nth + 1 < count ? nth + 1 : 0
    return { found, next: next === undefined ? nextSource : next * count + nth }
  }

  /** Counts a user's unread messages, and charges the count. `isNone`: there are none, also behind those counted. */
  async countUnread(session: UserSession): Promise<{ count: number; isNone: boolean }> {
    await this.#readsSettled()
    const unread = await Promise.all(this.#sources.map((source) => source.unread(session.user.id)))
    const scanned = unread.reduce((sum, one) => sum + one.scanned, 0)
    chargeCount(session, scanned)
    const count = unread.flatMap(({ counts }) => [...counts.values()]).reduce((sum, one) => sum + one, 0)
    return { count, isNone: count === 0 && scanned < MAX_COUNTED }
  }

  /** The messages that a search of a user goes through. @throws Refused `group_not_exist`, and as the sources refuse */
  async trails(user: User, where: Where): Promise<Trail[]> {
    const trails = (await Promise.all(this.#sources.map((source) => source.trails(user, where)))).flat()
    // Only if a group is named and no source has groups.
    if (trails.length === 0) throw new Refused(GROUP_FAILURES.group_not_exist)
    return trails
  }
}
