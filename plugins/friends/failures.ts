import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  yourself: { code: 50, text: 'that is yourself' },
  already_friends: { code: 51, text: 'you are friends already' },
  already_requested: { code: 52, text: 'you have asked already; wait for the answer' },
  blocked: { code: 53, text: 'this user takes nothing from you' },
  no_request: { code: 54, text: 'there is no request of that user' },
  not_friends: { code: 55, text: 'you are not friends' },
  not_blocked: { code: 56, text: 'you have not blocked this user' },
})
