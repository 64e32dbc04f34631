/** A value of a metric. */
export interface Sample {
  /** Values of its labels, by their names. */
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
  /** Part of a histogram. */
  readonly suffix?: 'bucket' | 'count' | 'sum'
}

export type MetricType = 'counter' | 'gauge' | 'histogram'

/** A metric with its values at one moment. */
export interface MetricFamily {
  readonly name: string
  readonly type: MetricType
  readonly about: string
  readonly samples: readonly Sample[]
}

/** A number that only grows. Counting is one addition: nothing is computed before the metrics are read. */
export class Counter {
  value = 0

  /** @param n not negative */
  add(n = 1) {
    this.value += n
  }
}

/** Combinations of label values of one metric; beyond it all others are counted together, as `other`. */
const MAX_SERIES = 1000

/** Counters of one metric, told apart by labels. */
export class Counters {
  readonly #names: readonly string[]
  readonly #counters = new Map<string, { readonly counter: Counter; readonly labels: Sample['labels'] }>()

  constructor(names: readonly string[]) {
    this.#names = names
  }

  /** The counter of these label values, in the order of the names; keep it where counting must be cheap. */
  of(...values: readonly string[]): Counter {
    const key = values.join('\0')
    const found = this.#counters.get(key)
    if (found !== undefined) return found.counter
    const others = this.#names.map(() => 'other')
    if (this.#counters.size >= MAX_SERIES && key !== others.join('\0')) return this.of(...others)
    const counter = new Counter()
    const labels = Object.fromEntries(this.#names.map((name, index) => [name, values[index] ?? '']))
    this.#counters.set(key, { counter, labels })
    return counter
  }

  samples(): Sample[] {
    return [...this.#counters.values()].map(({ counter, labels }) => ({
      value: counter.value,
      ...(labels && { labels }),
    }))
  }
}

/** Counts observed values by upper limits. */
export class Histogram {
  readonly #limits: readonly number[]
  readonly #counts: number[]
  #sum = 0

  /** @param limits upper limits of the buckets, ascending */
  constructor(limits: readonly number[]) {
    this.#limits = limits
    this.#counts = Array.from({ length: limits.length + 1 }, () => 0)
  }

  /** @param times how often the value was observed */
  observe(value: number, times = 1) {
    let bucket = 0
    while (bucket < this.#limits.length && value > (this.#limits[bucket] as number)) bucket++
    this.#counts[bucket] = (this.#counts[bucket] as number) + times
    this.#sum += value * times
  }

  samples(): Sample[] {
    let count = 0
    const upTo = this.#limits.map((limit, index) => {
      count += this.#counts[index] as number
      return [limit, count] as const
    })
    return histogramSamples(upTo, count + (this.#counts.at(-1) as number), this.#sum)
  }
}

/** @param upTo upper limits, each with the number of values up to it */
export const histogramSamples = (
  upTo: readonly (readonly [limit: number, count: number])[],
  count: number,
  sum: number,
): Sample[] => [
  ...upTo.map(([limit, value]): Sample => ({ suffix: 'bucket', labels: { le: String(limit) }, value })),
  { suffix: 'bucket', labels: { le: '+Inf' }, value: count },
  { suffix: 'sum', value: sum },
  { suffix: 'count', value: count },
]
