import type { Message } from '../shared/model.ts'
import type { Conversation } from './conversation.ts'
import { tn } from './i18n.ts'
import { attempt } from './state.ts'
import { call } from './worker.ts'

export interface ReactionsProps {
  readonly message: Message
  readonly conversation: Conversation
  readonly isReachable: boolean
}

/** Emoji on a message with their counts; a click adds the user's own, or takes it away. */
export function Reactions({ message: { id }, conversation, isReachable }: ReactionsProps) {
  const reactions = conversation.reactions.value.get(id) ?? []
  if (reactions.length === 0) return null
  return (
    <p class="reactions">
      {reactions.map(({ emoji, count, own }) => (
        <button
          key={emoji}
          type="button"
          aria-pressed={own}
          aria-label={tn('message.reactions', count, { emoji })}
          tabIndex={isReachable ? 0 : -1}
          onClick={() => void attempt(call('react', { id, emoji, remove: own }))}
        >
          {emoji} {count}
        </button>
      ))}
    </p>
  )
}
