/** Why a bot ended by itself. `consumer_taken`: another process runs as the same consumer of the same user. */
export type BotErrorCode = 'consumer_taken'

export class BotError extends Error {
  readonly code: BotErrorCode

  constructor(code: BotErrorCode, message: string) {
    super(message)
    this.name = 'BotError'
    this.code = code
  }
}
