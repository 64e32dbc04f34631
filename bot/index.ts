// The public API of `chatctl/bot`, described in docs/BOTS.md.
export type { Answer, AskOptions } from './asker.ts'
export { type Bot, createBot, type StartOptions } from './bot.ts'
export type { HistoryEntry, HistoryOptions } from './chat-history.ts'
export type { ArgumentSchemas, ArgumentsOf } from './command.ts'
export type {
  MessageContext,
  PushContext,
  ReactOptions,
  ReplyFileOptions,
  ReplyOptions,
  ScheduleContext,
  Self,
} from './context.ts'
export type {
  AnyContext,
  BotLifeEvents,
  ErrorHandler,
  FriendRequest,
  Invitation,
  MessageHandler,
  Middleware,
  Options,
} from './definition.ts'
export type { EffectOptions, Recipient, SayFileOptions, SayOptions } from './effects.ts'
export { BotError, type BotErrorCode } from './errors.ts'
export type { FileOptions, FileSource, ReceivedFile, StreamOptions } from './files.ts'
export { runningHandler } from './handler-runner.ts'
export type { BotLog } from './log.ts'
export { NO_REPLY } from './no-reply.ts'
export type { RunningBot } from './running-bot.ts'
export type { StateOptions } from './state.ts'
export { asTools, type BotTool, type ToolOptions } from './tools.ts'
