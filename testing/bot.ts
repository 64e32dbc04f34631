import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { LoginKeys } from '../client/index.ts'
import type { Clock } from '../core/index.ts'

/** How a bot is started on a test server. */
export interface BotStart {
  /** Opens a new connection at each call. */
  readonly server: () => Duplex
  readonly user: string
  readonly keys: LoginKeys
  readonly clock: Clock
  readonly log: Logger
}

/** The part of a bot that the test kit uses; bots of `chatctl/bot` have it. */
export interface StartableBot {
  start(options: BotStart): Promise<{ stop(): unknown }>
}

/** Further options of a bot's own `start`. */
export type BotOptions<B extends StartableBot> = Omit<Parameters<B['start']>[0], keyof BotStart> &
  Partial<Pick<BotStart, 'log'>>

export type Running<B extends StartableBot> = Awaited<ReturnType<B['start']>>
