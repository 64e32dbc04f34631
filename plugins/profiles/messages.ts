import { clientMessage, line, list, optional, serverMessage, uint64, userName } from '../../core/wire/index.ts'

/** Profiles in one request. */
const MAX_PROFILES = 100
/** Bytes of a small picture in base64, and of an object around it. */
const MAX_AVATAR = 2048

const profile = {
  user: userName('name of the user'),
  nickname: line('display name', { max: 256 }),
  avatar: line('how the clients draw the user: a JSON object that the server does not interpret; empty: none', {
    max: MAX_AVATAR,
  }),
  about: line('what the user says of oneself', { max: 800 }),
  changedAt: uint64('time of the last change, milliseconds since 1970 UTC; 0: never set'),
}

export const SetProfile = clientMessage({
  type: 57,
  name: 'set_profile',
  about: 'Replaces the profile of this user. Both fields are set: one that is left out becomes empty.',
  allow: 'user',
  fields: {
    avatar: optional(line('how the clients draw the user: a JSON object; empty: none', { max: MAX_AVATAR }), ''),
    about: optional(line('what the user says of oneself, at most 200 characters', { max: 800 }), ''),
  },
})

export const Profiles = serverMessage({
  type: 159,
  name: 'profiles',
  about: 'The profiles of the requested users, in their order, without users that do not exist.',
  fields: { profiles: list('the profiles', profile, { max: MAX_PROFILES }) },
})

export const QueryProfiles = clientMessage({
  type: 58,
  name: 'query_profiles',
  about: 'Requests the profiles of users.',
  allow: 'user',
  fields: { users: list('the users; none: this user', { user: userName('name of the user') }, { max: MAX_PROFILES }) },
  reply: Profiles,
})

export const ProfileChanged = serverMessage({
  type: 160,
  name: 'profile_changed',
  about: 'A user has changed the profile. Pushed to other sessions of the user and to sessions of friends.',
  fields: profile,
})
