import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_scheduled: { code: 46, text: 'there is no such message of yours that waits for its time' },
})
