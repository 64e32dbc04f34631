import { defineEvent } from '../../core/index.ts'

/** A user has changed the profile. */
export const ProfileSaved = defineEvent<{ readonly userId: number }>('profiles.profile_saved', { scope: 'cluster' })
