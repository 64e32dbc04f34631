import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** What a workload measured. Times in milliseconds. */
export interface Result {
  readonly workload: string
  /** The shape of the load: a rate says nothing without it. */
  readonly shape: string
  /** What is counted, such as `messages`. */
  readonly unit: string
  readonly count: number
  readonly seconds: number
  readonly perSecond: number
  /** What the workload is about where that is no rate, in its unit. */
  readonly value?: number
  readonly p50?: number
  readonly p99?: number
  readonly max?: number
  /** Requests that were not answered, refused or cut. */
  readonly failed?: number
  /** Of everything sent and acknowledged in this run, the warm-up included: what the database must hold. */
  readonly acknowledged?: number
}

/** What the runner wants to know while a workload runs. */
export interface Watcher {
  /** What is being done, and how far it is, 0 to 1. */
  progress(what: string, share: number): void
  /** The measured part begins or ends. */
  measuring(on: boolean): void
}

/** Latencies, kept in microseconds. */
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
