import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_hook: { code: 120, text: 'there is no hook with this id' },
  hook_url: { code: 121, text: 'the server does not send requests to this URL' },
})
