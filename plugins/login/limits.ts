import { defineLimits, type LimitValues, liftable } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  logins: liftable(
    300,
    'per minute',
    'logins and password changes of one user, ten times as many for a bot; beyond it they are refused',
  ),
  loginFailures: liftable(
    5,
    'per minute',
    'failed logins to one account from one address; beyond it further logins are refused',
  ),
  loginFailuresPerAddress: liftable(
    20,
    'per hour',
    'failed logins from one address; beyond it logins are refused, except to accounts that have logged in from there',
  ),
})

export type LoginLimits = LimitValues<typeof LIMITS>
