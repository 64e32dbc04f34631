import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { byteSize } from '../../plugins/messages/file-caption.ts'
import { ActionButton } from './action-button.tsx'
import { download, isPicture, pictureOf, placeholderOf } from './contents.ts'
import { Dialog } from './dialog.tsx'
import type { DialogContentProps } from './dialog-state.ts'
import { errorText, fullTimeOf, t } from './i18n.ts'
import { plainName } from './names.ts'
import { conversation } from './state.ts'

/** A picture of the open conversation, large; the arrow keys show the others. */
export function Viewer({ about, close }: DialogContentProps) {
  const id = useSignal(Number(about))
  const pictures = (conversation.value?.messages.value ?? []).filter(
    ({ file }) => file !== undefined && (file.preview || isPicture(file)),
  )
  const at = pictures.findIndex((message) => message.id === id.value)
  const message = pictures[at]
  const file = message?.file
  const go = (step: number) => {
    id.value = pictures[at + step]?.id ?? id.value
  }
  if (message === undefined || file === undefined) return null
  return (
    <Dialog
      title={plainName(file.name)}
      kind="viewer"
      onClose={close}
      onKeyDown={({ key }) => {
        if (key === 'ArrowLeft') go(-1)
        if (key === 'ArrowRight') go(1)
      }}
    >
      <Large key={file.id} file={file} />
      <p class="hint">
        {plainName(message.from)} · {fullTimeOf(message.sentAt)} · {byteSize(file.size)}
      </p>
      {!message.isCaption && <p dir="auto">{message.text}</p>}
      <p class="actions">
        <button type="button" disabled={at === 0} onClick={() => go(-1)}>
          {t('viewer.previous')}
        </button>
        <button type="button" disabled={at === pictures.length - 1} onClick={() => go(1)}>
          {t('viewer.next')}
        </button>
        <ActionButton work={() => download(file)}>{t('viewer.download')}</ActionButton>
      </p>
    </Dialog>
  )
}

/** The original, and until it is there what is known of it. */
function Large({ file }: { file: Parameters<typeof download>[0] }) {
  const url = useSignal(placeholderOf(file))
  const isComplete = useSignal(false)
  const failure = useSignal('')
  useEffect(() => {
    let isOpen = true
    const load = async (variant: 'original' | 'preview') => {
      const loaded = await pictureOf(file, variant)
      if (!isOpen || isComplete.value) return
      url.value = loaded
      isComplete.value = variant === 'original' || !isPicture(file)
    }
    const fail = (error: unknown) => {
      failure.value = errorText(error)
    }
    if (file.preview) load('preview').catch(fail)
    if (isPicture(file)) load('original').catch(fail)
    return () => {
      isOpen = false
    }
  }, [])
  return (
    <div class="large" aria-busy={!isComplete.value}>
      {url.value !== undefined && <img src={url.value} alt={plainName(file.name)} />}
      <p class="failure" role="alert">
        {failure.value}
      </p>
    </div>
  )
}
