import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  key_reused: { code: 43, text: 'the idempotency key was used for a different request' },
  outcome_unknown: { code: 44, text: 'the server or its database failed during this request; its outcome is unknown' },
})
