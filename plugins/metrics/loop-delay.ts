import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { histogramSamples, type Sample } from '../../core/index.ts'

/** Milliseconds between two measurements. */
const RESOLUTION_MS = 20
const NS_PER_MS = 1e6
/** Upper limits of the buckets, milliseconds. */
const LIMITS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000]
/** Steps of the bisection: enough for one of a billion measurements. */
const STEPS = 30

/** Delay of the event loop, measured by Node outside of it. */
export class LoopDelay {
  readonly #measured: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

  start() {
    this.#measured.enable()
  }

  stop() {
    this.#measured.disable()
  }

  samples(): Sample[] {
    const { count, mean } = this.#measured
    if (count === 0) return histogramSamples([], 0, 0)
    const upTo = LIMITS_MS.map((limit) => [limit / 1000, this.#countUpTo(limit)] as const)
    return histogramSamples(upTo, count, Math.max(0, (count * (mean / NS_PER_MS - RESOLUTION_MS)) / 1000))
  }

  /** Measurements up to a delay: Node gives percentiles, and counts its own interval as part of the delay. */
  #countUpTo(limitMs: number): number {
    const { count } = this.#measured
    const limit = (limitMs + RESOLUTION_MS) * NS_PER_MS
    if (this.#measured.max <= limit) return count
    let [low, high] = [0, 100]
    for (let step = 0; step < STEPS; step++) {
      const middle = (low + high) / 2
      if (this.#measured.percentile(middle) <= limit) low = middle
      else high = middle
    }
    return Math.floor((low / 100) * count)
  }
}
