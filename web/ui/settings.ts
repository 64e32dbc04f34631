import { effect, signal } from '@preact/signals'
import type { Style } from '../shared/model.ts'

export interface Settings {
  readonly language: 'auto' | 'en' | 'zh-CN'
  readonly theme: 'auto' | 'light' | 'dark'
  /** Whether Enter sends and Ctrl+Enter breaks the line, or the other way round. */
  readonly enterSends: boolean
  /** Fonts, sizes and colours that senders chose are not shown. */
  readonly plainStyles: boolean
  readonly notify: boolean
  /** Notifications show who wrote, but not what. */
  readonly hideText: boolean
  /** Style of the user's own messages. */
  readonly style: Style
}

const DEFAULTS: Settings = {
  language: 'auto',
  theme: 'auto',
  enterSends: true,
  plainStyles: false,
  notify: false,
  hideText: false,
  style: {},
}

const KEY = 'chatctl.settings'

const load = (): Settings => ({ ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') })

/** Settings of this browser, the same in all its tabs. */
export const settings = signal<Settings>(load())

export function change(changed: Partial<Settings>) {
  settings.value = { ...settings.value, ...changed }
  localStorage.setItem(KEY, JSON.stringify(settings.value))
}

addEventListener('storage', ({ key }) => {
  if (key === KEY) settings.value = load()
})

const systemDark = matchMedia('(prefers-color-scheme: dark)')
const systemIsDark = signal(systemDark.matches)
systemDark.addEventListener('change', ({ matches }) => {
  systemIsDark.value = matches
})

export const isDark = () => {
  const { theme } = settings.value
  return theme === 'auto' ? systemIsDark.value : theme === 'dark'
}

effect(() => {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light'
})
