import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  registration_closed: { code: 32, text: 'registration is closed on this server' },
  no_salt: { code: 33, text: 'this request requires a salt from new_salt' },
})
