import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_consumer: { code: 45, text: 'this consumer does not exist' },
})
