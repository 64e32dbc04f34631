import { useSignal } from '@preact/signals'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import { moveFocus } from './focus.ts'
import { Icon, type IconName } from './icons.tsx'

export interface MenuItem {
  readonly label: string
  readonly onSelect: () => unknown
}

export interface MenuProps {
  readonly label: string
  readonly items: readonly MenuItem[]
  readonly icon?: IconName
  readonly tabIndex?: number
}

/** A button that opens a list of actions. Arrows move, Escape and a click elsewhere close. */
export function Menu({ label, items, icon = 'more', tabIndex = 0 }: MenuProps) {
  const isOpen = useSignal(false)
  const ref = useRef<HTMLSpanElement>(null)
  const id = useId()
  const close = (refocus: boolean) => {
    isOpen.value = false
    if (refocus) ref.current?.querySelector('button')?.focus()
  }
  useLayoutEffect(() => {
    const items = ref.current?.querySelector<HTMLElement>('[role=menu]')
    if (items === null || items === undefined || ref.current === null) return
    place(items, ref.current.getBoundingClientRect())
    items.querySelector<HTMLElement>('[role=menuitem]')?.focus()
  }, [isOpen.value])
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the buttons inside bubble up to it.
    <span
      class="menu"
      role="presentation"
      ref={ref}
      onKeyDown={(event) => isOpen.value && onKey(event, () => close(true))}
      onFocusOut={({ relatedTarget }) => {
        if (!(relatedTarget instanceof Node && ref.current?.contains(relatedTarget))) close(false)
      }}
    >
      <button
        type="button"
        class="icon-button"
        title={label}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen.value}
        aria-controls={isOpen.value ? id : undefined}
        tabIndex={tabIndex}
        onClick={() => {
          isOpen.value = !isOpen.value
        }}
      >
        <Icon name={icon} />
      </button>
      {isOpen.value && (
        <div class="menu-items" role="menu" id={id} aria-label={label}>
          {items.map(({ label, onSelect }) => (
            <button
              key={label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close(true)
                onSelect()
              }}
            >
              {label}
            </button>
          ))}
        </div>
      )}
    </span>
  )
}

/** Distance from the edges of the window, in pixels. */
const MARGIN = 4

/** Below the button, or above it where there is no room; not clipped by what scrolls around it. */
function place(items: HTMLElement, button: DOMRect) {
  const { offsetHeight: height, offsetWidth: width } = items
  const hasRoom = button.bottom + height + MARGIN <= innerHeight
  items.style.top = `${Math.max(MARGIN, hasRoom ? button.bottom : button.top - height)}px`
  items.style.left = `${Math.max(MARGIN, Math.min(button.right - width, innerWidth - width - MARGIN))}px`
}

function onKey(event: KeyboardEvent, close: () => void) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (event.key === 'Escape') close()
  if (step === undefined || !(event.currentTarget instanceof HTMLElement)) return
  event.preventDefault()
  event.stopPropagation()
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=menuitem]')]
  moveFocus(items, step, { wrap: true })
}
