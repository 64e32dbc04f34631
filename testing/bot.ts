import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { LoginKeys } from '../client/index.ts'
import type { Clock } from '../core/index.ts'

/** How a bot is started on a test server. */
export interface BotStart {
  /** A new connection each time. */
  readonly server: () => Duplex
  readonly user: string
  readonly keys: LoginKeys
  readonly clock: Clock
  readonly log: Logger
}

/** What the test kit needs of a bot; those of `chatctl/bot` have it. */
export interface StartableBot {
  start(options: BotStart): Promise<{ stop(): unknown }>
}

/** What a bot's own `start` takes besides. */
export type BotOptions<B extends StartableBot> = Omit<Parameters<B['start']>[0], keyof BotStart> &
  Partial<Pick<BotStart, 'log'>>

export type Running<B extends StartableBot> = Awaited<ReturnType<B['start']>>
