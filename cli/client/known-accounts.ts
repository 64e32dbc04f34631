import { resolve } from 'node:path'
import { defaultData } from '../config/contexts.ts'
import { controlSocket } from '../server/paths.ts'

/**
 * Names of all accounts of a running server, as its operator, for completion. None where no server answers in time.
 * @param asked the data folder that was named
 * @param timeout milliseconds in all
 */
export async function knownAccounts(asked: string | undefined, timeout: number): Promise<string[]> {
  const data = asked ?? (process.env.CHATCTL_DATA || defaultData())
  const { ClientError, connect } = await import('../../client/index.ts')
  const { QueryUsers } = await import('../../plugins/admin/messages.ts')
  const server = { path: controlSocket(resolve(data)) }
  const signal = AbortSignal.timeout(timeout)
  try {
    await using client = await connect({ server, reconnect: false, signal })
    const found: string[] = []
    for (let more = true, after = 0; more; ) {
      const page = await client.request(QueryUsers, { after }, { signal })
      found.push(...page.users.map(({ user }) => user))
      after = page.users.at(-1)?.id ?? after
      more = page.more
    }
    return found
  } catch (error) {
    // A TAB prints no errors into what is being typed.
    if (error instanceof ClientError) return []
    throw error
  }
}
