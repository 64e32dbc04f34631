import type { ExecutionContext } from 'ava'
import { type Client, connect } from '../../../client/index.ts'
import { openShell, type Ran, type RunOptions } from './shell.ts'

/**
 * A server in its own process, and a shell in which the operator runs commands on behalf of Alice. Other users are
 * clients in this process.
 */
export async function openOperatorShell(t: ExecutionContext, args: readonly string[] = []) {
  const shell = await openShell(t)
  const room = await shell.serve(args)
  const password = 'the same for all'
  const enter = async (name: string): Promise<Client> => {
    const client = await connect({ server: room.server, leastIterations: 4096 })
    t.teardown(() => client.close())
    await client.register(name, password).catch((error) => {
      if (error.failure !== 'username_taken') throw error
    })
    await client.login(name, { password })
    return client
  }
  const alice = await enter('alice')
  const asAlice = (words: readonly string[]) => {
    const end = words.indexOf('--')
    const at = end === -1 ? words.length : end
    return [...words.slice(0, at), '--as', 'alice', '--data', './room', ...words.slice(at)]
  }
  return {
    shell,
    room,
    alice,
    /** Logs in as a user, who is registered at the first call. */
    enter,
    asAlice,
    start: (words: readonly string[], options?: RunOptions) => shell.start(asAlice(words), options),
    run: (words: readonly string[], options?: RunOptions): Promise<Ran> => shell.run(asAlice(words), options),
    /** The text of the next message pushed to a client; it is acknowledged. */
    async hears(client: Client): Promise<string> {
      for await (const message of client.messages({ acknowledge: false })) {
        await client.acknowledge(message)
        return message.text
      }
      throw new Error('the client was closed')
    },
  }
}
