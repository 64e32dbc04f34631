import { LIMITS, type LimitValues, ratesOff } from '../core/limits.ts'
import { LIMITS as consumers } from './consumers/limits.ts'
import { LIMITS as devices } from './devices/limits.ts'
import { LIMITS as edits } from './edits/limits.ts'
import { LIMITS as files } from './files/limits.ts'
import { LIMITS as friends } from './friends/limits.ts'
import { LIMITS as groups } from './groups/limits.ts'
import { LIMITS as hooks } from './hooks/limits.ts'
import { LIMITS as idempotency } from './idempotency/limits.ts'
import { LIMITS as incoming } from './incoming/limits.ts'
import { LIMITS as login } from './login/limits.ts'
import { LIMITS as messages } from './messages/limits.ts'
import { LIMITS as profiles } from './profiles/limits.ts'
import { LIMITS as reactions } from './reactions/limits.ts'
import { LIMITS as registration } from './registration/limits.ts'
import { LIMITS as schedule } from './schedule/limits.ts'
import { LIMITS as streams } from './streams/limits.ts'
import { LIMITS as tap } from './tap/limits.ts'
import { LIMITS as tokens } from './tokens/limits.ts'
import { LIMITS as typing } from './typing/limits.ts'

/** Every limit that a server has without plugins by others. */
export const BUILT_IN_LIMITS = {
  ...LIMITS,
  ...login,
  ...devices,
  ...registration,
  ...messages,
  ...edits,
  ...reactions,
  ...files,
  ...friends,
  ...groups,
  ...profiles,
  ...consumers,
  ...idempotency,
  ...schedule,
  ...hooks,
  ...tap,
  ...typing,
  ...streams,
  ...tokens,
  ...incoming,
}

export interface BuiltInLimits extends LimitValues<typeof BUILT_IN_LIMITS> {}

/** Settings of limits: of built-in plugins by name, of others as `plugin.limit`. */
export type KnownLimitSettings = Partial<BuiltInLimits> & { readonly [name: `${string}.${string}`]: number }

/** Settings of `--limits off` on a server without external plugins. */
export const RATES_OFF = ratesOff([{ limits: BUILT_IN_LIMITS }])
