import { setMaxListeners } from 'node:events'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { RuleFacts } from './before.ts'
import type { AnyPlugin } from './plugin.ts'

/** Failures of a plugin's own code within a minute after which it counts as degraded. */
const DEGRADED_AFTER = 5
const FAILURE_WINDOW_MS = 60_000

/** An error thrown by a plugin's code. */
export interface PluginFailure {
  readonly plugin: string
  /** Name of the handled message or event, `before MESSAGE` with the fault, `http PREFIX`, `timer`, `status`, `metrics` or `stop`. */
  readonly event: string
  readonly error: unknown
}

interface RecordParts {
  readonly log: Logger
  readonly clock: Clock
  readonly pluginFailed: ((failure: PluginFailure) => void) | undefined
}

/** One running plugin: its health, and how to undo all it registered. */
export class PluginRecord {
  readonly plugin: AnyPlugin
  readonly log: Logger
  readonly abort = new AbortController()
  readonly cleanups: (() => unknown)[] = []
  readonly reports: (() => Record<string, number | string>)[] = []
  readonly registered: {
    readonly handles: string[]
    readonly before: RuleFacts[]
    readonly listens: string[]
    readonly routes: string[]
    readonly timers: number[]
  } = { handles: [], before: [], listens: [], routes: [], timers: [] }
  readonly #clock: Clock
  readonly #pluginFailed: RecordParts['pluginFailed']
  /** Number of failures since the start. */
  failures = 0
  #failures: number[] = []
  #lastFailure = ''

  constructor(plugin: AnyPlugin, { log, clock, pluginFailed }: RecordParts) {
    this.plugin = plugin
    this.log = log.child({ plugin: plugin.name })
    this.#clock = clock
    this.#pluginFailed = pluginFailed
    // Each piece of work of a plugin may listen to it, such as each request of a webhook.
    setMaxListeners(0, this.abort.signal)
  }

  /** Status reports of the plugin; a report that throws is left out. */
  get report(): Record<string, number | string> {
    const values = this.reports.map((report) => {
      try {
        return report()
      } catch (error) {
        this.failed(error, 'status')
        return {}
      }
    })
    return Object.assign({}, ...values)
  }

  /** `degraded` after repeated failures within a minute; the plugin goes on running. */
  get state(): { readonly state: 'ok' | 'degraded'; readonly reason: string } {
    const since = this.#clock.now() - FAILURE_WINDOW_MS
    this.#failures = this.#failures.filter((time) => time >= since)
    const degraded = this.#failures.length >= DEGRADED_AFTER
    return { state: degraded ? 'degraded' : 'ok', reason: degraded ? this.#lastFailure : '' }
  }

  /** Logs what the plugin's code threw while it dealt with `event`. */
  failed(error: unknown, event: string) {
    const reason = error instanceof Error ? error.message : String(error)
    this.failures++
    this.#lastFailure = `${event}: ${reason}`
    // Only the last ones matter; a plugin that fails thousands of times a second must not fill the memory.
    this.#failures = [...this.#failures.slice(1 - DEGRADED_AFTER), this.#clock.now()]
    this.log.error({ err: error, event }, 'plugin failed')
    this.#pluginFailed?.({ plugin: this.plugin.name, event, error })
  }
}
