/**
 * Why a bot, or a handler, was ended. `consumer_taken`: another process runs as the same consumer of the same user.
 * `nothing_to_replay`: it was to begin again behind a message that it has not come to yet. `server_restored`: the
 * server's data is that of a backup, and the numbers that the bot knows are those of other messages: start it again.
 * `handler_timed_out` ends no bot: a handler took longer than `timeLimit`, and its event counts as handled.
 */
export type BotErrorCode = 'consumer_taken' | 'nothing_to_replay' | 'server_restored' | 'handler_timed_out'

export class BotError extends Error {
  readonly code: BotErrorCode

  constructor(code: BotErrorCode, message: string) {
    super(message)
    this.name = 'BotError'
    this.code = code
  }
}
