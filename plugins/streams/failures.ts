import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_stream: { code: 90, text: 'you have no open stream with this number on this session' },
})
