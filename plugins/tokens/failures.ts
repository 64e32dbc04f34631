import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  bad_token: {
    code: 110,
    text: 'the token is missing, wrong, expired or revoked; create one with `chatctl tokens create`',
  },
  out_of_scope: { code: 111, text: 'this token is not allowed to do that; create one with the scope or target' },
  no_token: { code: 112, text: 'you have no token with this id' },
})
