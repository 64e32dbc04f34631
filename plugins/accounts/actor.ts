import type { Session } from '../../core/index.ts'

/**
 * Who acts, for a record of the audit log: the operator of this host, also in a user's name, or a user by name. An account
 * may have any name, also "operator": what tells them apart is `isOperator`.
 */
export const actor = ({ isOperator, user }: Session) => ({
  by: isOperator ? 'operator' : (user?.name ?? '?'),
  isOperator,
})
