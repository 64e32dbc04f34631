import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  not_editable: { code: 72, text: 'the message is too old to be edited' },
})
