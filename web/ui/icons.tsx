const PATHS = {
  attach: 'M20 11l-8.5 8.5a5 5 0 01-7-7L13 4a3.3 3.3 0 015 5l-8.5 8.5a1.7 1.7 0 01-2.5-2.5L14 8',
  back: 'M15 4l-8 8 8 8',
  camera: 'M3 8h4l2-3h6l2 3h4v11H3zM12 10a3.5 3.5 0 100 7 3.5 3.5 0 000-7',
  close: 'M5 5l14 14M19 5L5 19',
  down: 'M12 4v15M5 12l7 7 7-7',
  emoji: 'M12 3a9 9 0 100 18 9 9 0 000-18M8 14a5 5 0 008 0M9 9v1M15 9v1',
  file: 'M6 3h8l5 5v13H6zM14 3v5h5',
  friendAdd: 'M10 4a4 4 0 100 8 4 4 0 000-8M3 21a7 7 0 0114 0M19 8v6M16 11h6',
  group: 'M9 5a3.5 3.5 0 100 7 3.5 3.5 0 000-7M2 20a7 7 0 0114 0M16 5a3.5 3.5 0 010 7M18 14a7 7 0 014 6',
  groupAdd: 'M9 5a3.5 3.5 0 100 7 3.5 3.5 0 000-7M2 20a7 7 0 0114 0M19 6v6M16 9h6',
  inbox: 'M3 13l3-8h12l3 8v6H3zM3 13h5l1 3h6l1-3h5',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  search: 'M11 4a7 7 0 100 14 7 7 0 000-14M16 16l5 5',
  send: 'M3 11l18-8-6 18-4-8z',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 4v6M8 14v6',
  style: 'M5 20l7-16 7 16M8 14h8',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}

export interface IconButtonProps {
  readonly icon: IconName
  readonly label: string
  readonly onClick: () => void
  readonly pressed?: boolean
  readonly badge?: number
}

export function IconButton({ icon, label, onClick, pressed, badge = 0 }: IconButtonProps) {
  return (
    <button type="button" class="icon-button" title={label} aria-label={label} aria-pressed={pressed} onClick={onClick}>
      <Icon name={icon} />
      {badge > 0 && (
        <span class="badge" aria-hidden="true">
          {badge}
        </span>
      )}
    </button>
  )
}
