import { useSignal } from '@preact/signals'
import type { FunctionComponent } from 'preact'
import { useRef } from 'preact/hooks'
import type { EmojiGridProps } from './emoji-grid.tsx'
import { t } from './i18n.ts'
import { IconButton } from './icons.tsx'
import { attempt } from './state.ts'

/** Opens the emoji grid, whose code and names are loaded at the first use. */
export function EmojiButton({ onPick }: { onPick: (emoji: string) => void }) {
  const grid = useSignal<FunctionComponent<EmojiGridProps> | undefined>(undefined)
  const isOpen = useSignal(false)
  const ref = useRef<HTMLSpanElement>(null)
  const toggle = async () => {
    isOpen.value = !isOpen.value
    if (!isOpen.value || grid.value !== undefined) return
    await attempt(
      import('./emoji-grid.tsx').then(({ EmojiGrid }) => {
        grid.value = EmojiGrid
      }),
    )
  }
  const close = () => {
    isOpen.value = false
    ref.current?.querySelector('button')?.focus()
  }
  const Grid = grid.value
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the buttons inside bubble up to it.
    <span
      class="emoji"
      role="presentation"
      ref={ref}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && isOpen.value) close()
      }}
    >
      <IconButton icon="emoji" label={t('emoji.title')} pressed={isOpen.value} onClick={() => void toggle()} />
      {isOpen.value && Grid !== undefined && (
        <Grid
          onPick={(emoji) => {
            close()
            onPick(emoji)
          }}
        />
      )}
    </span>
  )
}
