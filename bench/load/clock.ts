import { setTimeout as sleep } from 'node:timers/promises'
import type { Watcher } from './result.ts'

export interface Period {
  /** Seconds before anything is counted. */
  readonly warmUp: number
  /** Seconds that are counted. */
  readonly seconds: number
}

/** Counters of a running closed-loop workload. */
export interface Running {
  /** Operations completed since the start. */
  count(): number
  /** Switches recording of latencies on or off. */
  record(on: boolean): void
}

/** Runs a workload through its warm-up and its measured time. */
export async function measure(
  { warmUp, seconds }: Period,
  running: Running,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<{ count: number; seconds: number }> {
  await ticking('warm-up', warmUp, watcher, signal)
  running.record(true)
  watcher.measuring(true)
  const before = running.count()
  const began = performance.now()
  await ticking('measuring', seconds, watcher, signal)
  const count = running.count() - before
  const took = (performance.now() - began) / 1000
  watcher.measuring(false)
  running.record(false)
  return { count, seconds: took }
}

const TICK_MS = 200

async function ticking(what: string, seconds: number, watcher: Watcher, signal: AbortSignal) {
  const began = performance.now()
  for (;;) {
    const left = seconds * 1000 - (performance.now() - began)
    watcher.progress(what, seconds === 0 ? 1 : 1 - Math.max(0, left) / (seconds * 1000))
    if (left <= 0) return
    await sleep(Math.min(left, TICK_MS), undefined, { signal })
  }
}
