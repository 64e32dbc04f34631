import { EMOJI, type EmojiRow } from 'virtual:emoji'
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { moveFocus } from './focus.ts'
import { language, t } from './i18n.ts'

/** Emoji groups of CLDR, by their numbers, each with one of its emoji as its sign. */
const GROUPS = { 0: '😀', 1: '👋', 3: '🐻', 4: '🍎', 5: '🚗', 6: '⚽', 7: '💡', 8: '❤️' } as const
const MAX_FOUND = 160

export interface EmojiGridProps {
  readonly onPick: (emoji: string) => void
}

const nameOf = ([, , en, zh]: EmojiRow) => (language.value === 'en' ? en : zh)

/** Emoji by group, or by a word of their names in either language. */
export function EmojiGrid({ onPick }: EmojiGridProps) {
  const group = useSignal(0)
  const wanted = useSignal('')
  const grid = useRef<HTMLFieldSetElement>(null)
  const search = useRef<HTMLInputElement>(null)
  useEffect(() => search.current?.focus(), [])
  const words = wanted.value.trim().toLowerCase()
  const shown =
    words === ''
      ? EMOJI.filter(([, of]) => of === group.value)
      : EMOJI.filter(([, , en, zh]) => en.includes(words) || zh.includes(words)).slice(0, MAX_FOUND)
  return (
    <div class="emoji-panel" role="dialog" aria-label={t('emoji.title')}>
      <input
        ref={search}
        type="search"
        aria-label={t('emoji.search')}
        placeholder={t('emoji.search')}
        onInput={({ currentTarget }) => {
          wanted.value = currentTarget.value
        }}
      />
      <fieldset class="emoji-groups" aria-label={t('emoji.groups')}>
        {Object.entries(GROUPS).map(([number, sign]) => (
          <button
            key={number}
            type="button"
            aria-label={t(`emoji.group.${number as '0'}`)}
            title={t(`emoji.group.${number as '0'}`)}
            aria-pressed={group.value === Number(number) && words === ''}
            onClick={() => {
              group.value = Number(number)
            }}
          >
            {sign}
          </button>
        ))}
      </fieldset>
      <fieldset
        class="emoji-grid"
        ref={grid}
        aria-label={t('emoji.title')}
        onKeyDown={(event) => move(event, grid.current)}
      >
        {shown.map((row, index) => (
          <button
            key={row[0]}
            type="button"
            tabIndex={index === 0 ? 0 : -1}
            aria-label={nameOf(row)}
            title={nameOf(row)}
            onClick={() => onPick(row[0])}
          >
            {row[0]}
          </button>
        ))}
      </fieldset>
      {shown.length === 0 && <p class="empty">{t('emoji.none')}</p>}
    </div>
  )
}

/** Arrows move through the grid, by its columns as they are laid out. */
function move(event: KeyboardEvent, grid: HTMLElement | null) {
  if (grid === null) return
  const cells = [...grid.querySelectorAll('button')]
  const columns = cells.filter(({ offsetTop }) => offsetTop === cells[0]?.offsetTop).length
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key]
  if (step !== undefined && moveFocus(cells, step)) event.preventDefault()
}
