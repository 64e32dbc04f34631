import { SetupError } from '../errors.ts'
import { Counter, Counters, Histogram, type MetricFamily, type MetricType, type Sample } from './metrics.ts'

/** A value, or several with labels; undefined where it is not known now. */
export type Reading = number | readonly Sample[] | undefined

type Read = () => Reading | Promise<Reading>

/** The metrics of one plugin: `chatctl_plugin_NAME_…`, of the server's own `chatctl_…`. Names are such as `open_polls`. */
export interface Metrics {
  /** A number that only grows: `votes` is shown as `votes_total`. @throws SetupError for a name that is invalid or taken */
  counter(name: string, about: string): Counter
  /** The same with labels, whose values must be few. @throws SetupError */
  counters(name: string, about: string, labels: readonly string[]): Counters
  /** @param limits upper limits of the buckets, ascending, in seconds or bytes @throws SetupError */
  histogram(name: string, about: string, limits: readonly number[]): Histogram
  /** A value that goes up and down; `read` is called when metrics are read. @throws SetupError */
  gauge(name: string, about: string, read: Read): void
  /** A number that only grows and is kept elsewhere. @throws SetupError */
  total(name: string, about: string, read: Read): void
  /** A histogram that is kept elsewhere. @throws SetupError */
  histogramOf(name: string, about: string, read: () => readonly Sample[]): void
  /** The values of all metrics of the server, by name. */
  collect(): Promise<MetricFamily[]>
}

interface Owner {
  readonly prefix: string
  failed(error: unknown): void
  /** Gets the function that removes a metric. */
  onStop(remove: () => void): void
}

interface Metric {
  readonly type: MetricType
  readonly about: string
  readonly read: Read
  readonly failed: Owner['failed']
}

/** All metrics of one server. */
export class MetricRegistry {
  readonly #metrics = new Map<string, Metric>()

  /** The metrics as one plugin defines them. */
  of(owner: Owner): Metrics {
    const add = (type: MetricType, name: string, about: string, read: Read) =>
      this.#add(owner, name, { type, about, read })
    return {
      counter: (name, about) => {
        const counter = new Counter()
        add('counter', name, about, () => counter.value)
        return counter
      },
      counters: (name, about, labels) => {
        const counters = new Counters(labels)
        add('counter', name, about, () => counters.samples())
        return counters
      },
      histogram: (name, about, limits) => {
        const histogram = new Histogram(limits)
        add('histogram', name, about, () => histogram.samples())
        return histogram
      },
      gauge: (name, about, read) => add('gauge', name, about, read),
      total: (name, about, read) => add('counter', name, about, read),
      histogramOf: (name, about, read) => add('histogram', name, about, read),
      collect: () => this.collect(),
    }
  }

  /** Reads all metrics. One that cannot be read is left out. */
  async collect(): Promise<MetricFamily[]> {
    const families = await Promise.all([...this.#metrics].map(([name, metric]) => familyOf(name, metric)))
    return families.filter((family) => family !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  #add({ prefix, failed, onStop }: Owner, ownName: string, metric: Omit<Metric, 'failed'>) {
    if (!/^[a-z][a-z0-9_]*$/.test(ownName) || ownName.endsWith('_total'))
      throw new SetupError(`a metric is named such as "open_polls", without "_total", not ${JSON.stringify(ownName)}`)
    const name = prefix + ownName
    if (this.#metrics.has(name)) throw new SetupError(`the metric ${name} is defined already`)
    this.#metrics.set(name, { ...metric, failed })
    onStop(() => this.#metrics.delete(name))
  }
}

async function familyOf(name: string, { type, about, read, failed }: Metric): Promise<MetricFamily | undefined> {
  try {
    const reading = await read()
    if (reading === undefined) return undefined
    return { name, type, about, samples: typeof reading === 'number' ? [{ value: reading }] : reading }
  } catch (error) {
    failed(error)
    return undefined
  }
}
