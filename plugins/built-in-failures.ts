import { FAILURES } from '../core/wire/index.ts'
import { FAILURES as accounts } from './accounts/failures.ts'
import { FAILURES as consumers } from './consumers/failures.ts'
import { FAILURES as devices } from './devices/failures.ts'
import { FAILURES as edits } from './edits/failures.ts'
import { FAILURES as files } from './files/failures.ts'
import { FAILURES as friends } from './friends/failures.ts'
import { FAILURES as groups } from './groups/failures.ts'
import { FAILURES as hooks } from './hooks/failures.ts'
import { FAILURES as idempotency } from './idempotency/failures.ts'
import { FAILURES as incoming } from './incoming/failures.ts'
import { FAILURES as login } from './login/failures.ts'
import { FAILURES as messages } from './messages/failures.ts'
import { FAILURES as registration } from './registration/failures.ts'
import { FAILURES as schedule } from './schedule/failures.ts'
import { FAILURES as streams } from './streams/failures.ts'
import { FAILURES as tokens } from './tokens/failures.ts'

/** Every failure that a server has without plugins by others: a closed list, by name. */
export const BUILT_IN_FAILURES = {
  ...FAILURES,
  ...accounts,
  ...login,
  ...devices,
  ...registration,
  ...messages,
  ...edits,
  ...files,
  ...friends,
  ...groups,
  ...consumers,
  ...idempotency,
  ...schedule,
  ...streams,
  ...tokens,
  ...incoming,
  ...hooks,
}

export type BuiltInFailureName = keyof typeof BUILT_IN_FAILURES
