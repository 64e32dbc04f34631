import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  group_not_exist: { code: 60, text: 'there is no such group' },
  not_member: { code: 61, text: 'not a member of that group' },
  already_member: { code: 62, text: 'a member of that group already' },
  group_exists: { code: 63, text: 'the group name is taken' },
  not_invited: { code: 64, text: 'that group takes only who is invited' },
  owner_must_stay: { code: 65, text: 'the owner hands the group over or dissolves it first' },
  role_too_low: { code: 66, text: 'your role in that group does not allow it' },
})
