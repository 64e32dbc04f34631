import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import { t } from './i18n.ts'
import { IconButton } from './icons.tsx'

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  /** Class of a dialog of another form. */
  readonly kind?: string
  readonly onKeyDown?: (event: KeyboardEvent) => void
  readonly children: ComponentChildren
}

/** A modal dialog; the browser keeps the focus inside, and Escape closes it. */
export function Dialog({ title, onClose, kind, onKeyDown, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useLayoutEffect(() => ref.current?.showModal(), [])
  return (
    <dialog ref={ref} class={kind} aria-labelledby={titleId} onClose={onClose} onKeyDown={onKeyDown}>
      <header class="dialog-header">
        <h2 id={titleId}>{title}</h2>
        <IconButton icon="close" label={t('dialog.close')} onClick={() => ref.current?.close()} />
      </header>
      {children}
    </dialog>
  )
}
