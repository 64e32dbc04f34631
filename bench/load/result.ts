import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Figures of a workload; latencies in milliseconds. */
export interface Result {
  readonly workload: string
  /** Shape of the load, without which a rate cannot be compared. */
  readonly shape: string
  /** Unit of `count`, such as `messages`. */
  readonly unit: string
  readonly count: number
  readonly seconds: number
  readonly perSecond: number
  /** Main figure of a workload that does not measure a rate. */
  readonly value?: number
  readonly p50?: number
  readonly p99?: number
  readonly max?: number
  /** Requests that timed out, were refused or lost their connection. */
  readonly failed?: number
  /** Messages acknowledged in the whole run, warm-up included: the number that the database must contain. */
  readonly acknowledged?: number
}

/** Receives the progress of a running workload. */
export interface Watcher {
  /** @param what current step. @param share completed part of it, 0 to 1 */
  progress(what: string, share: number): void
  /** The measured time starts or ends. */
  measuring(on: boolean): void
}

/** Histogram of latencies, in microseconds. */
export class Latency {
  readonly #histogram: RecordableHistogram = createHistogram()

  add(ms: number) {
    this.#histogram.record(Math.max(1, Math.round(ms * 1000)))
  }

  get max(): number {
    return this.#histogram.max / 1000
  }

  get result(): { p50: number; p99: number } {
    const at = (share: number) => this.#histogram.percentile(share) / 1000
    return { p50: at(50), p99: at(99) }
  }
}
