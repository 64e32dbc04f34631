import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_device: { code: 70, text: 'you have no device with this id' },
})
