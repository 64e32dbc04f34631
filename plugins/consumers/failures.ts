import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_consumer: { code: 45, text: 'there is no such consumer' },
})
