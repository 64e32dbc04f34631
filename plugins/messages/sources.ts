import { Refused, type User } from '../../core/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import type { Deliverable } from './deliverable.ts'
import { fitting } from './page.ts'
import type { Trail } from './search.ts'
import type { Query, Source, Where } from './source.ts'

/** Messages of several sources in one order, oldest first. */
export interface Page {
  readonly found: Deliverable[]
  /** True if there may be more behind them. */
  readonly more: boolean
}

/** Where a user's messages are read from: a source for each sort of conversation. */
export class Sources {
  readonly #sources: Source[] = []
  readonly #readsSettled: () => Promise<void>

  /** @param readsSettled resolves when acknowledged messages no longer count as unread in the database */
  constructor(readsSettled: () => Promise<void>) {
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
    if (query.unreadOnly) await this.#readsSettled()
    const parts = await Promise.all(sources.map((source) => source.load(userId, query)))
    const merged = parts.flat().sort((a, b) => a.message.id - b.message.id)
    const more = merged.length > query.limit || parts.some((part) => part.length >= query.limit)
    return { found: merged.slice(0, query.limit), more }
  }

  /** A user's messages, as many as fit into a packet. */
  async page(userId: number, query: Query): Promise<Page> {
    const { found, more } = await this.read(userId, query)
    const fit = fitting(found.map(({ message }) => message))
    return { found: found.slice(0, fit), more: more || fit < found.length }
  }

  async countUnread(userId: number): Promise<number> {
    await this.#readsSettled()
    const counts = await Promise.all(this.#sources.map((source) => source.countUnread(userId)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** The messages that a search of a user goes through. @throws Refused `group_not_exist`, and as the sources refuse */
  async trails(user: User, where: Where): Promise<Trail[]> {
    const trails = (await Promise.all(this.#sources.map((source) => source.trails(user, where)))).flat()
    // Only if a group is named and no source has groups.
    if (trails.length === 0) throw new Refused(GROUP_FAILURES.group_not_exist)
    return trails
  }
}
