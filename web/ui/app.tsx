import { useSignalEffect } from '@preact/signals'
import { announcement } from './announce.ts'
import { Chat } from './chat.tsx'
import { Dialogs } from './dialogs.tsx'
import { t } from './i18n.ts'
import { IconButton } from './icons.tsx'
import { Sidebar } from './sidebar.tsx'
import { Start } from './start.tsx'
import { openKey, status, toast, unread } from './state.ts'

export function App() {
  useSignalEffect(() => {
    document.title = unread.value === 0 ? t('app.name') : `(${unread.value}) ${t('app.name')}`
  })
  return (
    <>
      {status.value?.phase === 'ready' ? (
        <div class={`app ${openKey.value === undefined ? '' : 'has-chat'}`}>
          <Sidebar />
          <Chat />
          <Dialogs />
        </div>
      ) : (
        <Start />
      )}
      <Toast />
      <div class="visually-hidden" role="status" aria-live="polite">
        {announcement.value}
      </div>
    </>
  )
}

function Toast() {
  return (
    <div class="toast" role="alert">
      {toast.value !== '' && (
        <p>
          {toast.value}
          <IconButton
            icon="close"
            label={t('dialog.close')}
            onClick={() => {
              toast.value = ''
            }}
          />
        </p>
      )}
    </div>
  )
}
