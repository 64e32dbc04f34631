import { signal } from '@preact/signals'
import type { Key } from '../shared/model.ts'

/** How long a notice holds, by the protocol. */
const HOLDS_MS = 6000
/** Who is writing, by conversation. */
export const writers = signal<ReadonlyMap<Key, ReadonlySet<string>>>(new Map())
const timers = new Map<string, number>()

export function setWriting(key: Key, from: string, isWriting: boolean) {
  const id = `${key} ${from}`
  clearTimeout(timers.get(id))
  timers.delete(id)
  if (isWriting)
    timers.set(
      id,
      setTimeout(() => setWriting(key, from, false), HOLDS_MS),
    )
  const names = new Set(writers.value.get(key))
  if (isWriting) names.add(from)
  else names.delete(from)
  writers.value = new Map(writers.value).set(key, names)
}
