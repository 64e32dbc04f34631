import type { ComponentChildren } from 'preact'
import { attempt } from './state.ts'

export interface ActionButtonProps {
  /** What a click does; a failure is shown at the edge of the page. */
  readonly work: () => Promise<unknown>
  readonly kind?: 'primary' | 'link'
  /** Name for screen readers, if the text alone does not say what it is about. */
  readonly label?: string
  readonly disabled?: boolean
  readonly children: ComponentChildren
}

export function ActionButton({ work, kind, label, disabled, children }: ActionButtonProps) {
  return (
    <button type="button" class={kind} aria-label={label} disabled={disabled} onClick={() => void attempt(work())}>
      {children}
    </button>
  )
}
