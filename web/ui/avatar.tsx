import { signal } from '@preact/signals'
import { plainName } from './names.ts'
import { type Look, lookOf, wantProfile } from './profiles.ts'

type Art = typeof import('./avatar-art.ts')

/** The code that draws; undefined until it has been loaded. */
export const art = signal<Art | undefined>(undefined)

/** Pictures by user and dress; all are forgotten when there are many. */
const drawn = new Map<string, string>()
const MAX_DRAWN = 500

export async function loadAvatars() {
  art.value = await import('./avatar-art.ts')
}

function pictureOf(user: string, { dress, picture: own }: Look): string | undefined {
  // The browser finds out itself what kind of picture it is; it runs nothing in it.
  if (own !== undefined) return `data:image/webp;base64,${own}`
  if (art.value === undefined) return undefined
  const key = user + JSON.stringify(dress)
  const picture = drawn.get(key) ?? `data:image/svg+xml,${encodeURIComponent(art.value.drawAvatar(user, dress))}`
  if (drawn.size >= MAX_DRAWN) drawn.clear()
  drawn.set(key, picture)
  return picture
}

export interface AvatarProps {
  readonly name: string
  readonly isGroup?: boolean
  /** In place of the user's own, while it is being chosen. */
  readonly look?: Look
  readonly isLarge?: boolean
}

/** Picture of a user, or the first letter of a group's name. */
export function Avatar({ name, isGroup = false, look, isLarge = false }: AvatarProps) {
  if (!isGroup) wantProfile(name)
  const picture = isGroup ? undefined : pictureOf(name, look ?? lookOf(name))
  const [letter = ''] = plainName(name)
  return (
    <span class={`avatar ${isGroup ? 'of-group' : ''} ${isLarge ? 'is-large' : ''}`} aria-hidden="true">
      {picture === undefined ? letter.toUpperCase() : <img src={picture} alt="" />}
    </span>
  )
}
