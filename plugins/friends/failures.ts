import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  yourself: { code: 50, text: 'the request names its own sender' },
  already_friends: { code: 51, text: 'this user is already your friend' },
  already_requested: { code: 52, text: 'your friend request is still waiting for an answer' },
  blocked: { code: 53, text: 'this user has blocked you' },
  no_request: { code: 54, text: 'this user has sent you no friend request' },
  not_friends: { code: 55, text: 'this user is not your friend' },
  not_blocked: { code: 56, text: 'you have not blocked this user' },
})
