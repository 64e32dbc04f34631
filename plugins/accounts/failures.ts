import { defineFailures, UserNotExist, UsernameTaken } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  user_not_exist: { code: 40, text: 'this user does not exist', message: UserNotExist },
  username_taken: { code: 30, text: 'the user name is already in use', message: UsernameTaken },
  invalid_name: { code: 31, text: 'the name is not allowed' },
})
