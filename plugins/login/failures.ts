import { defineFailures, LoginFailed } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  too_many_attempts: { code: 22, text: 'too many failed logins; retry later', message: LoginFailed },
  binding_required: { code: 24, text: 'the login must use channel binding to the handshake', message: LoginFailed },
})
