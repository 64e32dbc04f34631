import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { byteSize } from '../../plugins/messages/file-caption.ts'
import type { Key } from '../shared/model.ts'
import { t } from './i18n.ts'
import { Icon, IconButton } from './icons.tsx'
import { isShrinkable } from './picture-drawing.ts'
import { stagedFor, unstage } from './staging.ts'

/** What is done with pictures before they are sent. */
export interface PictureChoices {
  readonly shrink: boolean
  readonly keepMetadata: boolean
}

/** The files that go with the next message. */
export function StagedFiles({ conversationKey, choices }: { conversationKey: Key; choices: Signal<PictureChoices> }) {
  const files = stagedFor(conversationKey)
  if (files.length === 0) return null
  const choose = (name: keyof PictureChoices, label: string) => (
    <label class="checkbox">
      <input
        type="checkbox"
        checked={choices.value[name]}
        onChange={({ currentTarget }) => {
          choices.value = { shrink: false, keepMetadata: false, [name]: currentTarget.checked }
        }}
      />
      {label}
    </label>
  )
  return (
    <div class="staged">
      <ul aria-label={t('file.staged')}>
        {files.map((file) => (
          <li key={`${file.name} ${file.size} ${file.lastModified}`} class="file">
            {isShrinkable(file) ? <Thumbnail file={file} /> : <Icon name="file" />}
            <span class="who">
              <bdi class="file-name">{file.name}</bdi>
              <span class="hint">{byteSize(file.size)}</span>
            </span>
            <IconButton
              icon="close"
              label={t('file.remove', { name: file.name })}
              onClick={() => unstage(conversationKey, file)}
            />
          </li>
        ))}
      </ul>
      {files.some(isShrinkable) && (
        <p class="actions">
          {choose('shrink', t('file.shrink'))}
          {choose('keepMetadata', t('file.keepMetadata'))}
        </p>
      )}
    </div>
  )
}

function Thumbnail({ file }: { file: File }) {
  const url = useSignal('')
  useEffect(() => {
    url.value = URL.createObjectURL(file)
    return () => URL.revokeObjectURL(url.value)
  }, [])
  return url.value === '' ? null : <img class="thumbnail" src={url.value} alt="" />
}
