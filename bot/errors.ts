/**
 * Why a bot, or one run of a handler, ended.
 * - `consumer_taken`: another process consumes as the same consumer of the same user.
 * - `nothing_to_replay`: the replay was to start after a message that the bot has not reached yet.
 * - `server_restored`: the server was restored from a backup, so known message ids may name other messages; start again.
 * - `handler_cancelled`: the message was recalled, or its sender has stopped the run; its event counts as handled.
 * - `handler_timed_out`: a run exceeded `timeLimit`; its event counts as handled, and the bot continues.
 */
export type BotErrorCode =
  | 'consumer_taken'
  | 'nothing_to_replay'
  | 'server_restored'
  | 'handler_timed_out'
  | 'handler_cancelled'

export class BotError extends Error {
  readonly code: BotErrorCode

  constructor(code: BotErrorCode, message: string) {
    super(message)
    this.name = 'BotError'
    this.code = code
  }
}

/** Rejection of a handler's promises when the bot stops: its event comes again at the next start. */
export class BotStopped extends Error {
  constructor() {
    super('the bot is stopping')
    this.name = 'BotStopped'
  }
}
