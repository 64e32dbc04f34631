import { LRUCache } from 'lru-cache'
import type { Read } from './message-store.ts'
import { GROUP_LANE } from './messages.ts'
import { type Interval, narrowed, type PlaceQuery } from './places.ts'
import { type Ask, BY_LANE, selectForEach } from './selects.ts'
import type { Run } from './writer-connection.ts'

/** Bound of the cache of read positions. */
const CACHE_ENTRIES = 100_000

/** Positions looked up in one statement. */
const LOOKUPS_PER_STATEMENT = 200

interface Position {
  readonly read: Read
  /** All messages up to this id (private) or sequence number (group) are read; 0 for none. */
  readonly at: number
  readonly moved: boolean
}

const keyOf = ({ readerId, fromId, isGroup }: Read) => `${readerId} ${isGroup} ${fromId}`

/**
 * Read positions in MySQL. One statement moves many, and MySQL does not report which rows it changed: a cache of the
 * previous positions answers that.
 */
export class MysqlPositions {
  readonly #cache = new LRUCache<string, number>({ max: CACHE_ENTRIES })
  #newest = 0

  /**
   * Moves positions forward, never back, in a few statements.
   * @param newest the highest message id known to be stored
   * @returns which positions have moved
   */
  async advance(run: Run, reads: readonly Read[], newest: number): Promise<boolean[]> {
    this.#newest = Math.max(this.#newest, newest)
    if (reads.length === 0) return []
    const places = await this.#places(run, reads)
    const before = await this.#before(run, reads)
    const positions = reads.map((read, index) => {
      const at = places[index] as number
      return { read, at, moved: at > (before.get(keyOf(read)) ?? 0) }
    })
    const moved = positions.filter((position) => position.moved)
    const inPrivate = moved.filter(({ read }) => !read.isGroup)
    if (inPrivate.length > 0)
      await run(
        `insert into correspondence (reader_id, writer_id, read_id) values ?
         on duplicate key update read_id = greatest(read_id, values(read_id))`,
        [inPrivate.map(({ read, at }) => [read.readerId, read.fromId, at])],
      )
    for (const { groupId, at, readers } of byPlace(moved.filter(({ read }) => read.isGroup)))
      await run('update chatroom_user set read_seq = ? where chatroom_id = ? and user_id in (?) and read_seq < ?', [
        at,
        groupId,
        readers,
        at,
      ])
    for (const { read, at } of moved) this.#cache.set(keyOf(read), at)
    return positions.map((position) => position.moved)
  }

  /** Caps each position at the newest stored message, so that later messages stay unread. */
  async #places(run: Run, reads: readonly Read[]): Promise<number[]> {
    const places = new Map<string, number>()
    const keys = reads.map(({ readerId, fromId, isGroup, upTo }) =>
      isGroup ? `group ${fromId} ${upTo}` : `${readerId} ${fromId} ${upTo}`,
    )
    const wanted = new Map<string, Read>()
    for (const [index, read] of reads.entries()) {
      const key = keys[index] as string
      if (!read.isGroup && read.upTo <= this.#newest) places.set(key, read.upTo)
      else wanted.set(key, read)
    }
    await this.#lookUp(run, [...wanted], places)
    await this.#search(
      run,
      [...wanted].filter(([key, { isGroup }]) => isGroup && !places.has(key)),
      places,
    )
    return keys.map((key) => places.get(key) ?? 0)
  }

  /** Finds the newest private message up to an id, and group messages by their ids. */
  async #lookUp(run: Run, entries: readonly [string, Read][], places: Map<string, number>) {
    for (let at = 0; at < entries.length; at += LOOKUPS_PER_STATEMENT) {
      const chunk = entries.slice(at, at + LOOKUPS_PER_STATEMENT)
      // Descending with limit 1: max() would scan the whole conversation.
      const selects = chunk.map(
        ([, { isGroup }], index) =>
          `(select ${index} as nth, ${isGroup ? 'seq' : 'id'} as at from ${isGroup ? 'chatmsg' : BY_LANE}
            where target_id = ? and lane = ? ${isGroup ? '' : 'and seq is null'} and id ${isGroup ? '=' : '<='} ?
            order by ${isGroup ? 'seq' : 'id'} desc limit 1)`,
      )
      const values = chunk.flatMap(([, { isGroup, fromId, readerId, upTo }]) =>
        isGroup ? [fromId, GROUP_LANE, upTo] : [readerId, fromId, upTo],
      )
      const rows = await run<{ nth: number; at: number }[]>(selects.join(' union all '), values)
      for (const row of rows) places.set((chunk[row.nth] as [string, Read])[0], Number(row.at))
    }
  }

  /** Finds the newest group message up to an id that is no message of that group. */
  async #search(run: Run, entries: readonly [string, Read][], places: Map<string, number>) {
    if (entries.length === 0) return
    const groups = await run<{ id: number; last_seq: number }[]>('select id, last_seq from chatroom where id in (?)', [
      entries.map(([, { fromId }]) => fromId),
    ])
    const last = new Map(groups.map(({ id, last_seq }) => [id, Number(last_seq)]))
    const ask: Ask = (sql, values) => run(sql, values)
    const queries = entries.map(([, { fromId, upTo }]): PlaceQuery => {
      return { groupId: fromId, id: upTo, from: 0, to: (last.get(fromId) ?? 0) + 1 }
    })
    const intervals = await narrowed(ask, queries)
    const rows = (await selectForEach(ask, [...queries.entries()], ([index, { groupId, id }]) => {
      const { from, to } = intervals[index] as Interval
      return [
        `select ${index} as nth, seq from ${BY_LANE} where target_id = ? and lane = ? and seq >= ? and seq < ? and id <= ?
         order by seq desc limit 1`,
        [groupId, GROUP_LANE, from, to, id],
      ]
    })) as { nth: number; seq: number }[]
    for (const { nth, seq } of rows) places.set((entries[nth] as [string, Read])[0], Number(seq))
  }

  /** Current positions, from the cache or the database. */
  async #before(run: Run, reads: readonly Read[]): Promise<ReadonlyMap<string, number>> {
    const before = new Map<string, number>()
    const misses = { private: [] as Read[], group: [] as Read[] }
    for (const read of reads) {
      const cached = this.#cache.get(keyOf(read))
      if (cached !== undefined) before.set(keyOf(read), cached)
      else misses[read.isGroup ? 'group' : 'private'].push(read)
    }
    if (misses.private.length > 0) {
      const rows = await run<{ reader_id: number; writer_id: number; read_id: number }[]>(
        'select reader_id, writer_id, read_id from correspondence where (reader_id, writer_id) in (?)',
        [misses.private.map(({ readerId, fromId }) => [readerId, fromId])],
      )
      for (const { reader_id: readerId, writer_id: fromId, read_id } of rows)
        before.set(keyOf({ readerId, fromId, isGroup: false, upTo: 0 }), Number(read_id))
    }
    if (misses.group.length > 0) {
      const rows = await run<{ chatroom_id: number; user_id: number; read_seq: number }[]>(
        'select chatroom_id, user_id, read_seq from chatroom_user where (chatroom_id, user_id) in (?)',
        [misses.group.map(({ readerId, fromId }) => [fromId, readerId])],
      )
      for (const { chatroom_id: fromId, user_id: readerId, read_seq } of rows)
        before.set(keyOf({ readerId, fromId, isGroup: true, upTo: 0 }), Number(read_seq))
    }
    // Cached before the update: if its reply is lost, a retry still knows which positions moved.
    for (const read of [...misses.private, ...misses.group]) this.#cache.set(keyOf(read), before.get(keyOf(read)) ?? 0)
    return before
  }
}

/** Groups positions for one UPDATE each: most members of a group read up to the same message. */
function byPlace(positions: readonly Position[]): Iterable<{ groupId: number; at: number; readers: number[] }> {
  const places = new Map<string, { groupId: number; at: number; readers: number[] }>()
  for (const { read, at } of positions) {
    const key = `${read.fromId} ${at}`
    const place = places.get(key) ?? { groupId: read.fromId, at, readers: [] }
    place.readers.push(read.readerId)
    places.set(key, place)
  }
  return places.values()
}
