import { signal } from '@preact/signals'
import type { Dress, Profile } from '../shared/model.ts'
import { call } from './worker.ts'

/** Profiles in one request of the protocol. */
const MAX_USERS = 100

/** Profiles that are known, by user. */
export const profiles = signal<ReadonlyMap<string, Profile>>(new Map())

/** Users whose profiles were requested. */
const asked = new Set<string>()
let queue: string[] = []

/** Loads the profile of a user who is shown, once. Those shown together are requested together. */
export function wantProfile(user: string) {
  if (user === '' || asked.has(user)) return
  asked.add(user)
  if (queue.push(user) === 1) queueMicrotask(() => void load())
}

async function load() {
  const users = queue
  queue = []
  for (let at = 0; at < users.length; at += MAX_USERS) {
    const page = users.slice(at, at + MAX_USERS)
    try {
      addProfiles(await call('profiles', { users: page }))
    } catch {
      // Asked for again when they are shown again; until then the users look as their names make them.
      for (const user of page) asked.delete(user)
    }
  }
}

export function addProfiles(added: readonly Profile[]) {
  profiles.value = new Map([...profiles.value, ...added.map((profile) => [profile.user, profile] as const)])
}

export function forgetProfiles() {
  asked.clear()
  profiles.value = new Map()
}

/** How a user is drawn: dressed up, or by a picture of their own. */
export interface Look {
  readonly dress: Dress
  /** Base64 of a small picture. */
  readonly picture?: string | undefined
}

const looks = new WeakMap<Profile, Look>()
const NOTHING: Look = { dress: {} }

/** The look of a user; nothing for a user without a profile, and for one that is not of this page. */
export function lookOf(user: string): Look {
  const profile = profiles.value.get(user)
  if (profile === undefined) return NOTHING
  const known = looks.get(profile) ?? parseLook(profile.avatar)
  looks.set(profile, known)
  return known
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Only numbers, and the bytes of a picture, are taken from the text of another user. */
function parseLook(text: string): Look {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return NOTHING
  }
  if (typeof parsed !== 'object' || parsed === null) return NOTHING
  const dress = Object.fromEntries(Object.entries(parsed).filter(([, value]) => Number.isInteger(value)))
  const { picture } = parsed as { picture?: unknown }
  return { dress, picture: typeof picture === 'string' && BASE64.test(picture) ? picture : undefined }
}

/** The avatar of a profile. */
export const avatarOf = ({ dress, picture }: Look) => JSON.stringify({ ...dress, picture })
