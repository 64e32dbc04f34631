import { GROUP_LANE } from './messages.ts'
import { SPARE } from './scan.ts'
import { type Ask, BY_LANE, selectForEach } from './selects.ts'

/** Entries of the index read in one round, for each place. */
const PROBES = 4
/** Width of an interval that is not narrowed further: the first slice of a scan is wider, and so passes the place. */
const CLOSE = SPARE

/** The place of an id in a group: messages up to `from` have lower or equal ids, those from `to` on have higher ones. */
export interface Interval {
  readonly from: number
  readonly to: number
}

export interface PlaceQuery extends Interval {
  readonly groupId: number
  readonly id: number
}

/** A message of a group. */
export interface Entry {
  readonly id: number
  readonly seq: number
}

/**
 * Narrows intervals that hold the places of ids in groups, to CLOSE messages. Sequence numbers and ids ascend together, so
 * a search of few entries finds a place that no index leads to.
 */
export async function narrowed(ask: Ask, queries: readonly PlaceQuery[]): Promise<Interval[]> {
  const intervals = queries.map(({ from, to }) => ({ from, to }))
  for (;;) {
    const probes = queries.flatMap(({ groupId, id }, nth) => {
      const { from, to } = intervals[nth] as Interval
      if (to - from <= CLOSE) return []
      const seqs = Array.from({ length: PROBES }, (_, i) => from + Math.floor(((to - from) * (i + 1)) / (PROBES + 1)))
      return seqs.map((seq) => ({ nth, groupId, id, seq }))
    })
    if (probes.length === 0) return intervals
    const rows = (await selectForEach(ask, [...probes.entries()], ([index, { groupId, seq }]) => [
      `select ? as probe, id, seq from ${BY_LANE} where target_id = ? and lane = ? and seq >= ? order by seq limit 1`,
      [index, groupId, GROUP_LANE, seq],
    ])) as (Entry & { probe: number })[]
    const found = new Map(rows.map((row) => [Number(row.probe), row]))
    for (const [index, { nth, id, seq }] of probes.entries()) {
      const interval = intervals[nth] as { from: number; to: number }
      const entry = found.get(index)
      if (entry !== undefined && entry.id <= id) interval.from = Math.max(interval.from, Number(entry.seq))
      else interval.to = Math.min(interval.to, seq)
    }
  }
}

/**
 * The last sequence number of a message with this id or a lower one; undefined if there is none.
 * @param firstFrom reads the first message from a sequence number on
 * @param last no message has a higher sequence number
 */
export function placeOf(id: number, firstFrom: (seq: number) => Entry | undefined, last: number): number | undefined {
  let place: number | undefined
  for (let [from, to] = [1, last + 1]; from < to; ) {
    const middle = Math.floor((from + to) / 2)
    const entry = firstFrom(middle)
    if (entry !== undefined && entry.id <= id) {
      place = entry.seq
      from = entry.seq + 1
    } else to = middle
  }
  return place
}
