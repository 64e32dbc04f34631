/**
 * Why a bot ended by itself. `consumer_taken`: another process runs as the same consumer of the same user.
 * `nothing_to_replay`: it was to begin again behind a message that it has not come to yet.
 */
export type BotErrorCode = 'consumer_taken' | 'nothing_to_replay'

export class BotError extends Error {
  readonly code: BotErrorCode

  constructor(code: BotErrorCode, message: string) {
    super(message)
    this.name = 'BotError'
    this.code = code
  }
}
