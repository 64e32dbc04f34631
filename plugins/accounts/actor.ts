import type { Session } from '../../core/index.ts'

/**
 * Names the acting user in a record of the audit log: the operator of this host, also when acting as a user, or a user by
 * name. An account may have any name, also "operator": `isOperator` distinguishes the two.
 */
export const actor = ({ isOperator, user }: Session) => ({
  by: isOperator ? 'operator' : (user?.name ?? '?'),
  isOperator,
})
