import { signal } from '@preact/signals'
import { plainName } from './names.ts'

type Draw = (seed: string) => string

/** Draws avatars; undefined until its code has been loaded. */
const draw = signal<Draw | undefined>(undefined)
const drawn = new Map<string, string>()

export async function loadAvatars() {
  const { drawAvatar } = await import('./avatar-art.ts')
  draw.value = drawAvatar
}

function pictureOf(seed: string): string | undefined {
  const known = drawn.get(seed)
  if (known !== undefined || draw.value === undefined) return known
  const picture = `data:image/svg+xml,${encodeURIComponent(draw.value(seed))}`
  drawn.set(seed, picture)
  return picture
}

/** Picture of a user, or the first letter of a group's name. */
export function Avatar({ name, isGroup = false }: { name: string; isGroup?: boolean }) {
  const picture = isGroup ? undefined : pictureOf(name)
  const [letter = ''] = plainName(name)
  return (
    <span class={`avatar ${isGroup ? 'of-group' : ''}`} aria-hidden="true">
      {picture === undefined ? letter.toUpperCase() : <img src={picture} alt="" />}
    </span>
  )
}
