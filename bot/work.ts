import type { ChatMessage } from '../client/index.ts'

/** An event on its way through the bot, over all runs of its handler. */
export interface Work {
  readonly message: ChatMessage
  readonly chat: string
  /** Answers that its handler took, by the ids of the questions: a further run is given them again. */
  readonly answers: Map<number, ChatMessage>
}
