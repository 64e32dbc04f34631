// Making a bot.

// What its handlers do.
export type { Answer, AskOptions } from './asking.ts'
export { type Bot, createBot, type StartOptions } from './bot.ts'
export type { ArgumentSchemas, ArgumentsOf } from './command.ts'
export type { MessageContext, PushContext, ScheduleContext, Self } from './context.ts'
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
export type { EffectOptions, Recipient, SayOptions } from './effects.ts'
// A bot at work.
export { BotError, type BotErrorCode } from './errors.ts'
export { runningHandler } from './handlers.ts'
export type { BotLog } from './log.ts'
export type { RunningBot } from './running-bot.ts'
export type { StateOptions } from './state.ts'
