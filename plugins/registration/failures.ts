import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  registration_closed: { code: 32, text: 'this server takes no registrations' },
  no_salt: { code: 33, text: 'ask for a salt with new_salt first' },
})
