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

const dresses = new WeakMap<Profile, Dress>()

/** How a user is dressed; nothing for a user without a profile, and for one that is not of this page. */
export function dressOf(user: string): Dress {
  const profile = profiles.value.get(user)
  if (profile === undefined) return {}
  const known = dresses.get(profile) ?? parseDress(profile.avatar)
  dresses.set(profile, known)
  return known
}

/** Only numbers are taken from the text of another user. */
function parseDress(text: string): Dress {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return {}
  }
  if (typeof parsed !== 'object' || parsed === null) return {}
  return Object.fromEntries(Object.entries(parsed).filter(([, value]) => Number.isInteger(value)))
}
