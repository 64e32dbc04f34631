import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_scheduled: { code: 46, text: 'you have no waiting scheduled message with this id' },
})
