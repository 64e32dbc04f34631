import type { Session } from '../../core/index.ts'

/** Who acts, for the audit log: the operator of this host, also in a user's name, or a user by name. */
export const actor = (session: Session): string => (session.isOperator ? 'operator' : (session.user?.name ?? '?'))
