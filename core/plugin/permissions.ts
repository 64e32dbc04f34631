import type { User } from '../session/user.ts'
import type { Allow, FailureName } from '../wire/index.ts'

interface Caller {
  readonly user: User | undefined
  readonly isOperator: boolean
}

/** Whether a session may send a message with that rule; the failure if not. Everything else is denied. */
export const PERMITTED: Record<Allow, (caller: Caller) => FailureName | undefined> = {
  any: () => undefined,
  anonymous: ({ user, isOperator }) => (user === undefined && !isOperator ? undefined : 'not_allowed'),
  user: ({ user }) => (user === undefined ? 'login_required' : undefined),
  admin: ({ user, isOperator }) => {
    if (isOperator || user?.role === 'admin') return undefined
    return user === undefined ? 'login_required' : 'not_allowed'
  },
  operator: ({ isOperator }) => (isOperator ? undefined : 'not_allowed'),
}
