import type { Duplex } from 'node:stream'
import type { LoginKeys } from '../client/index.ts'
import type { Clock } from '../core/index.ts'

/** How a bot is started on a test server. */
export interface BotStart {
  /** A new connection each time. */
  readonly server: () => Duplex
  readonly user: string
  readonly keys: LoginKeys
  readonly clock: Clock
}

/** What the test kit needs of a bot; those of `chatctl/bot` are it. */
export interface StartableBot<Options, Running extends { stop(): unknown }> {
  start(options: Options & BotStart): Promise<Running>
}
