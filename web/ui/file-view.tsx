import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { byteSize } from '../../plugins/messages/file-caption.ts'
import type { AttachedFile } from '../shared/model.ts'
import { contentKey, download, isShownInline, pictureOf, placeholderOf } from './contents.ts'
import { show } from './dialog-state.ts'
import { t } from './i18n.ts'
import { Icon } from './icons.tsx'
import { plainName } from './names.ts'
import { progress } from './progress.ts'
import { attempt } from './state.ts'
import { call } from './worker.ts'

/** Largest picture in a message, in pixels. */
const [MAX_WIDTH, MAX_HEIGHT] = [320, 240]

export interface FileViewProps {
  readonly file: AttachedFile
  /** Id of the message that carries it. */
  readonly message: number
  /** Whether the Tab key reaches it. */
  readonly isReachable: boolean
}

/** The file of a message: a picture, or its name to download it. */
export function FileView(props: FileViewProps) {
  return isShownInline(props.file) ? <Picture {...props} /> : <FileCard {...props} />
}

/** A picture; a click shows it large. It is loaded when it comes near the view. */
function Picture({ file, message, isReachable }: FileViewProps) {
  const ref = useRef<HTMLButtonElement>(null)
  const url = useSignal<string | undefined>(undefined)
  const hasFailed = useSignal(false)
  useEffect(() => {
    if (ref.current === null) return
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return
        observer.disconnect()
        pictureOf(file, file.preview ? 'preview' : 'original').then(
          (loaded) => {
            url.value = loaded
          },
          () => {
            hasFailed.value = true
          },
        )
      },
      { rootMargin: '300px' },
    )
    observer.observe(ref.current)
    return () => observer.disconnect()
  }, [])
  if (hasFailed.value) return <FileCard file={file} message={message} isReachable={isReachable} />
  const shown = url.value ?? placeholderOf(file)
  return (
    <button
      ref={ref}
      type="button"
      class="picture"
      style={sizeOf(file)}
      tabIndex={isReachable ? 0 : -1}
      aria-label={t('file.show', { name: plainName(file.name) })}
      aria-busy={url.value === undefined}
      onClick={() => show('viewer', String(message))}
    >
      {shown !== undefined && (
        <img
          src={shown}
          alt=""
          onError={() => {
            hasFailed.value = url.value !== undefined
          }}
        />
      )}
    </button>
  )
}

/** Place for a picture before it is loaded, so that nothing moves when it is. */
function sizeOf({ width = 0, height = 0 }: AttachedFile) {
  const [w, h] = width > 0 && height > 0 ? [width, height] : [MAX_WIDTH, MAX_HEIGHT]
  const scale = Math.min(1, MAX_WIDTH / w, MAX_HEIGHT / h)
  return { inlineSize: `${Math.max(48, Math.round(w * scale))}px`, aspectRatio: `${w} / ${h}` }
}

function FileCard({ file, isReachable }: FileViewProps) {
  const name = plainName(file.name)
  const share = progress.value.get(contentKey(file))
  const tabIndex = isReachable ? 0 : -1
  return (
    <div class="file">
      <Icon name="file" />
      <span class="who">
        <bdi class="file-name">{name}</bdi>
        <span class="hint">{byteSize(file.size)}</span>
      </span>
      {share === undefined ? (
        <button
          type="button"
          class="icon-button"
          tabIndex={tabIndex}
          aria-label={t('file.download', { name })}
          title={t('file.download', { name })}
          onClick={() => void attempt(download(file))}
        >
          <Icon name="down" />
        </button>
      ) : (
        <Running
          label={t('file.downloading', { name })}
          share={share}
          tabIndex={tabIndex}
          cancel={() => call('stopContent', { file: file.id })}
        />
      )}
    </div>
  )
}

export interface RunningProps {
  readonly label: string
  /** 0 to 1. */
  readonly share: number
  readonly tabIndex?: number
  readonly cancel: () => Promise<unknown>
}

/** A transfer on its way. */
export function Running({ label, share, tabIndex = 0, cancel }: RunningProps) {
  return (
    <>
      <progress aria-label={label} value={share} max={1} />
      <button type="button" class="link" tabIndex={tabIndex} onClick={() => void attempt(cancel())}>
        {t('file.cancel')}
      </button>
    </>
  )
}
