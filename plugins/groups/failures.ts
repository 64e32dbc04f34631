import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  group_not_exist: { code: 60, text: 'this group does not exist' },
  not_member: { code: 61, text: 'not a member of this group' },
  already_member: { code: 62, text: 'already a member of this group' },
  group_exists: { code: 63, text: 'the group name is already in use' },
  not_invited: { code: 64, text: 'you may join this group only by an invitation' },
  owner_must_stay: { code: 65, text: 'the owner must first hand over the group or dissolve it' },
  role_too_low: { code: 66, text: 'your role in this group does not allow this' },
})
