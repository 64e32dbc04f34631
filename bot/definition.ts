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

/** What a bot's life is told with. */
export interface BotLifeEvents {
  /** Connected, logged in, events come. */
  started: []
  disconnected: [reason: Error]
  reconnected: []
  /** The server refused a message: bots have answered each other too often in that chat. Told once a chat. */
  loop: [chat: string]
  /** It is over; with the error that ended it, if it did not end on purpose. */
  stopped: [error?: unknown]
}

export interface Options<State> {
  /** Of this bot; unless `consumer` says otherwise, its durable consumer has this name too. */
  readonly name: string
  /** Message types of the server's plugins that the bot uses: `import * as polls from './messages.ts'`. */
  readonly messages?: { readonly [name: string]: Message }
  /** Name under which the server keeps what was handled. */
  readonly consumer?: string
  /** How many chats are handled at once; default 8. A handler that takes longer than 30 s counts no more. */
  readonly concurrency?: number
  /**
   * Milliseconds that a handler may take, without its waits for answers; default 15 minutes, Infinity for no limit.
   * Beyond it its event counts as handled, and what it does through its context is refused.
   */
  readonly timeLimit?: number
  /** What to do with friend requests, those included that came while the bot was away; default `accept`. */
  readonly friends?: 'accept' | 'refuse' | 'ignore' | ((request: FriendRequest) => boolean | Promise<boolean>)
  /** What to do with invitations to groups; default `accept`. One that comes while the bot is away is not told again. */
  readonly invitations?: 'accept' | 'ignore' | ((invitation: Invitation) => boolean | Promise<boolean>)
  /** Groups to join at the start. */
  readonly groups?: readonly string[]
  /** What the bot remembers of each chat. */
  readonly state?: StateOptions<State>
  readonly backlog?: {
    /** Passes over messages older than so many milliseconds. */
    readonly maxAge: number
  }
  /** What commands begin with; default `/`. */
  readonly prefix?: string
  /** Whether system messages are handled like others; default false. */
  readonly systemMessages?: boolean
}

/** A command with what it does. */
export interface CommandHandler<State> {
  readonly command: Command
  run(context: MessageContext<State>, values: Record<string, unknown>): unknown
}

/** A schedule with what it does. */
export interface DefinedSchedule<State> {
  readonly name: string
  readonly cron: Cron
  /** Whose state it has and in whose order it runs; undefined: its own. */
  readonly chat: Recipient | undefined
  run(context: ScheduleContext<State>): unknown
}

/** All that was said about a bot before it runs. */
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
