import type { Conversation, Subject } from './conversation.ts'
import { t } from './i18n.ts'
import { IconButton } from './icons.tsx'
import { plainName } from './names.ts'

const MAX_CHARACTERS = 80

/** The message that is being answered or edited. */
export function SubjectBar({
  conversation,
  subject: { kind, message },
}: {
  conversation: Conversation
  subject: Subject
}) {
  const user = plainName(message.from)
  return (
    <div class="subject">
      <span dir="auto">
        {kind === 'edit' ? t('composer.editing') : t('composer.replying', { user })}:{' '}
        {message.text.slice(0, MAX_CHARACTERS)}
      </span>
      <IconButton
        icon="close"
        label={t('composer.cancel')}
        onClick={() => {
          conversation.subject.value = undefined
        }}
      />
    </div>
  )
}
