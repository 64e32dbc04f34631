import { useRef } from 'preact/hooks'
import { t } from './i18n.ts'
import { IconButton, type IconName } from './icons.tsx'

/** Chooses files to send; on devices that are held in the hand also with the camera. */
export function AttachButtons({ onFiles }: { onFiles: (files: FileList | null) => void }) {
  return (
    <>
      <Chooser icon="attach" label={t('file.attach')} onFiles={onFiles} />
      <span class="camera">
        <Chooser icon="camera" label={t('file.camera')} isCamera onFiles={onFiles} />
      </span>
    </>
  )
}

interface ChooserProps {
  readonly icon: IconName
  readonly label: string
  readonly isCamera?: boolean
  readonly onFiles: (files: FileList | null) => void
}

function Chooser({ icon, label, isCamera = false, onFiles }: ChooserProps) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <IconButton icon={icon} label={label} onClick={() => input.current?.click()} />
      <input
        ref={input}
        hidden
        type="file"
        multiple={!isCamera}
        {...(isCamera && { accept: 'image/*', capture: 'environment' })}
        onChange={({ currentTarget }) => {
          onFiles(currentTarget.files)
          // The same file can be chosen again.
          currentTarget.value = ''
        }}
      />
    </>
  )
}
