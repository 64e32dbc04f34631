import type { PluginFailure } from '../core/index.ts'

/** Errors thrown by plugin code that a test has not read yet; they fail the test at its end. */
export class FailureReport {
  readonly #failures: readonly PluginFailure[]
  readonly #isIgnored: boolean
  /** How many of the failures have been read. */
  #read = 0

  constructor(failures: readonly PluginFailure[], { ignore }: { readonly ignore: boolean }) {
    this.#failures = failures
    this.#isIgnored = ignore
  }

  /** All failures, which are then read. */
  read(): readonly PluginFailure[] {
    this.#read = this.#failures.length
    return [...this.#failures]
  }

  /** A paragraph about the unread failures, which are then read; empty if there are none. */
  takeUnread(): string {
    const unread = this.#failures.slice(this.#read)
    this.#read = this.#failures.length
    return unread.length === 0 ? '' : `\nCode of plugins has thrown:${listed(unread)}`
  }

  /** @throws Error that lists the unread failures */
  throwUnread() {
    const unread = this.#failures.slice(this.#read)
    if (unread.length === 0 || this.#isIgnored) return
    throw new Error(`code of plugins has thrown:${listed(unread)}`, { cause: unread[0]?.error })
  }
}

const listed = (failures: readonly PluginFailure[]) =>
  failures
    .map(({ plugin, event, error }) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return `\n  ${plugin}, ${event}: ${reason.replaceAll('\n', '\n  ')}`
    })
    .join('')
