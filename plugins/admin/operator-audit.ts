import type { App, ClientMessage } from '../../core/index.ts'
import { actor } from '../accounts/actor.ts'

/** Records every request that an operator makes as a user, whichever plugin's message it is. */
export function auditOperators(app: App) {
  for (const message of app.catalogue) {
    if (message.from !== 'client' || message.allow !== 'user') continue
    app.on(message as ClientMessage, (session, values, reply) => {
      if (!session.isOperator) return
      const { id } = (reply ?? {}) as { id?: number }
      const as = session.user?.name
      const fields = auditedFields(message, values)
      app.audit.info({ event: message.name, ...actor(session), as, ...fields, ...(id !== undefined && { id }) })
    })
  }
}

/** Lines with a proof, or with what was said. */
const NOT_AUDITED = ['clientFinal', 'emoji']

/** Names and numbers in a message, without texts and bytes: recipients and ids, not what was said. */
function auditedFields(message: ClientMessage, values: Record<string, unknown>): Record<string, unknown> {
  const isAudited = ([name, value]: [string, unknown]) => {
    const kind = message.fields[name]?.kind
    if (kind === 'line' || kind === 'oneOf') return !NOT_AUDITED.includes(name) && value !== ''
    return typeof value === 'number' && value !== 0
  }
  return Object.fromEntries(Object.entries(values).filter(isAudited))
}
