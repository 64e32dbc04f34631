import type { BotTool, HistoryEntry } from 'chatctl/bot'

/** A language model, as the bot uses it. */
export interface Model {
  /** Pieces of the answer as they come. It stops when `signal` aborts. */
  answer(request: {
    readonly system: string
    readonly history: readonly HistoryEntry[]
    readonly tools: readonly BotTool[]
    readonly signal: AbortSignal
  }): AsyncIterable<string>
}

/**
 * A model that needs no key: it repeats what was said, word by word. Put yours in its place. Most libraries stream texts;
 * with `ai`, for example:
 *
 *     const { textStream } = streamText({ model, system, abortSignal: signal,
 *       messages: history.map(({ role, name, text }) => ({ role, content: role === 'user' ? `${name}: ${text}` : text })) })
 *     yield* textStream
 */
export const fakeModel: Model = {
  async *answer({ history, signal }) {
    const last = history.at(-1)
    for (const word of `You said: ${last?.text ?? ''}`.split(/(?<= )/)) {
      if (signal.aborted) return
      yield word
    }
  },
}
