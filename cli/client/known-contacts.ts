import { currentContext, readContext } from '../config/contexts.ts'
import { knownServer } from '../config/known-servers.ts'

/**
 * Names of the friends or groups of a kept login, for completion. None where its server's key is not known yet, or where
 * it does not answer in time: a TAB must neither make first contacts nor print errors into what is being typed.
 * @param timeout milliseconds in all
 */
export async function knownContacts(
  kind: 'user' | 'group',
  asked: string | undefined,
  timeout: number,
): Promise<string[]> {
  const name = asked ?? process.env.CHATCTL_CONTEXT ?? (await currentContext())
  const context = name === undefined ? undefined : await readContext(name)
  const pin = context === undefined ? undefined : (await knownServer(context.server))?.key
  if (context === undefined || pin === undefined) return []
  const { connect, QueryContacts } = await import('../../client/index.ts')
  const { server, user, keys } = context
  const signal = AbortSignal.timeout(timeout)
  await using client = await connect({ server, pin, reconnect: false, timeout, signal })
  await client.login(user, { keys })
  const { contacts } = await client.request(QueryContacts, { skip: 0 })
  return contacts.filter((contact) => (contact.kind === 4) === (kind === 'group')).map((contact) => contact.name)
}
