import { byteSize } from '../../plugins/messages/file-caption.ts'
import type { Unsent } from '../shared/model.ts'
import { ActionButton } from './action-button.tsx'
import { Running } from './file-view.tsx'
import { failureText, t } from './i18n.ts'
import { Icon } from './icons.tsx'
import { progress } from './progress.ts'
import { Linked } from './text.tsx'
import { call } from './worker.ts'

/** A message that the server has not stored yet. */
export function UnsentRow({ message: { clientId, text, file, refused } }: { message: Unsent }) {
  return (
    <li class={`unsent is-mine ${refused === undefined ? '' : 'is-refused'}`}>
      <div class="bubble">
        {file !== undefined && (
          <div class="file">
            <Icon name="file" />
            <span class="who">
              <bdi class="file-name">{file.name}</bdi>
              <span class="hint">{byteSize(file.content.size)}</span>
            </span>
          </div>
        )}
        {text !== '' && (
          <div class="text" dir="auto">
            <Linked text={text} />
          </div>
        )}
        {refused === undefined ? (
          <p class="meta">
            {file === undefined ? (
              t('message.sending')
            ) : (
              <Running
                label={t('file.uploading', { name: file.name })}
                share={progress.value.get(clientId) ?? 0}
                cancel={() => call('cancel', { clientId })}
              />
            )}
          </p>
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
