import type { Cron } from 'croner'
import type { AddFriendRequest, RoomInvitation, ValuesOf } from '../client/index.ts'
import type { Message, ServerMessage } from '../core/wire/index.ts'
import type { Command } from './command.ts'
import type { MessageContext, PushContext, ScheduleContext } from './context.ts'
import type { Recipient } from './effects.ts'
import type { StateOptions } from './state.ts'

export type AnyContext<State> = MessageContext<State> | ScheduleContext<State> | PushContext

export type MessageHandler<State> = (context: MessageContext<State>) => unknown
export type Middleware<State> = (context: MessageContext<State>, next: () => Promise<void>) => unknown
export type ErrorHandler<State> = (error: unknown, context: AnyContext<State>) => unknown

export type FriendRequest = ValuesOf<typeof AddFriendRequest>
export type Invitation = ValuesOf<typeof RoomInvitation>

/** Life events of a bot and their payloads. */
export interface BotLifeEvents {
  /** Connected, logged in, events are delivered. */
  started: []
  disconnected: [reason: Error]
  reconnected: []
  /** The server stopped a bot loop in that chat. Emitted once per chat. */
  loop: [chat: string]
  /** The bot has ended: on purpose, or with an error. */
  stopped: [error?: unknown]
}

export interface Options<State> {
  /** Name of the bot, and of its durable consumer unless `consumer` is given. */
  readonly name: string
  /** Plugin message types that the bot uses: `import * as polls from './messages.ts'`. */
  readonly messages?: { readonly [name: string]: Message }
  /** Name of the durable consumer, which records at the server which events were handled. */
  readonly consumer?: string
  /** Number of chats handled at once; default 8. A handler that runs longer than 30 s no longer counts. */
  readonly concurrency?: number
  /**
   * Time limit of a handler, milliseconds, without waits for answers; default 15 minutes, Infinity for no limit. A handler
   * that exceeds it counts as finished, and its context refuses further effects.
   */
  readonly timeLimit?: number
  /** Policy for friend requests, including those received while offline; default `accept`. */
  readonly friends?: 'accept' | 'refuse' | 'ignore' | ((request: FriendRequest) => boolean | Promise<boolean>)
  /** Policy for group invitations; default `accept`. One that is not accepted stays pending, and is asked again at the next start. */
  readonly invitations?: 'accept' | 'ignore' | ((invitation: Invitation) => boolean | Promise<boolean>)
  /** Groups to join at the start. */
  readonly groups?: readonly string[]
  /** State of each chat; default none. */
  readonly state?: StateOptions<State>
  readonly backlog?: {
    /** Age above which messages are skipped, milliseconds. */
    readonly maxAge: number
  }
  /** Prefix of commands; default `/`. */
  readonly prefix?: string
  /** Whether system messages are handled; default false. */
  readonly systemMessages?: boolean
  /**
   * Milliseconds: messages that a user sends in a chat with shorter pauses are answered by one run of `message`, which gets the last
   * one, and all as `ctx.messages`. Default 0: one run for each.
   */
  readonly debounce?: number
  /** Limits the runs of `message` for each user: for handlers that cost money. Beyond it the user is told once. */
  readonly perUser?: { readonly perHour: number }
  /** A text, such as `/stop`, with which a user aborts the run that answers an earlier message of the same user; default none. */
  readonly stop?: string
}

/** A command and its handler. */
export interface CommandHandler<State> {
  readonly command: Command
  run(context: MessageContext<State>, values: Record<string, unknown>): unknown
}

/** A schedule and its handler. */
export interface DefinedSchedule<State> {
  readonly name: string
  readonly cron: Cron
  /** Chat whose state and queue it shares; undefined: its own. */
  readonly chat: Recipient | undefined
  run(context: ScheduleContext<State>): unknown
}

/** Everything that was registered on a bot. */
export interface Definition<State> {
  readonly options: Options<State>
  readonly commands: Map<string, CommandHandler<State>>
  readonly patterns: { readonly pattern: string | RegExp; readonly run: MessageHandler<State> }[]
  message: MessageHandler<State> | undefined
  readonly pushes: { readonly message: ServerMessage; run(values: unknown, context: PushContext): unknown }[]
  readonly schedules: DefinedSchedule<State>[]
  readonly middleware: Middleware<State>[]
  onError: ErrorHandler<State> | undefined
  readonly life: { readonly event: keyof BotLifeEvents; readonly listener: (...payload: never[]) => unknown }[]
}
