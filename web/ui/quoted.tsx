import type { Conversation } from './conversation.ts'
import { t } from './i18n.ts'
import { plainName } from './names.ts'
import { openAt } from './state.ts'

const MAX_CHARACTERS = 80

/** The message that another one answers; a click shows it in its place. */
export function Quoted({ id, conversation }: { id: number; conversation: Conversation }) {
  const message = conversation.messages.value.find((other) => other.id === id)
  return (
    <button type="button" class="quoted" dir="auto" tabIndex={-1} onClick={() => openAt(conversation.key, id)}>
      {message === undefined
        ? t('message.earlier')
        : `${plainName(message.from)}: ${message.text.slice(0, MAX_CHARACTERS)}`}
    </button>
  )
}
