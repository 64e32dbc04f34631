import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  key_reused: { code: 43, text: 'another request was made with this key' },
  outcome_unknown: { code: 44, text: 'the server stopped while it carried this out: whether it was done is not known' },
})
