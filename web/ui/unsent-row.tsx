import type { Unsent } from '../shared/model.ts'
import { ActionButton } from './action-button.tsx'
import { failureText, t } from './i18n.ts'
import { Linked } from './text.tsx'
import { call } from './worker.ts'

/** A message that the server has not stored yet. */
export function UnsentRow({ message: { clientId, text, refused } }: { message: Unsent }) {
  return (
    <li class={`unsent is-mine ${refused === undefined ? '' : 'is-refused'}`}>
      <div class="bubble">
        <div class="text" dir="auto">
          <Linked text={text} />
        </div>
        {refused === undefined ? (
          <p class="meta">{t('message.sending')}</p>
        ) : (
          <p class="meta" role="alert">
            {t('message.refused', { reason: failureText(refused) })}{' '}
            <ActionButton kind="link" work={() => call('retry', { clientId })}>
              {t('message.retry')}
            </ActionButton>{' '}
            <ActionButton kind="link" work={() => call('discard', { clientId })}>
              {t('message.discard')}
            </ActionButton>
          </p>
        )}
      </div>
    </li>
  )
}
