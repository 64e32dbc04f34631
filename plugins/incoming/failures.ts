import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_incoming_hook: { code: 113, text: 'you have no incoming hook with this id' },
})
