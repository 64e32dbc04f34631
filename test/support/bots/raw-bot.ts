import type { Client } from '../../../client/index.ts'
import { deriveKeys, storedKey } from '../../../core/scram/index.ts'
import { CreateUser } from '../../../plugins/index.ts'
import type { ServerHandle } from '../clients.ts'

const SALT = Buffer.alloc(32, 1)

/** Creates the account of a bot and logs in to it, with the client library alone: it gives no hops by itself. */
export async function rawBot({ operator, connect }: ServerHandle, name: string): Promise<Client> {
  const { clientKey, serverKey } = await deriveKeys('bot', SALT, 4096)
  const control = await operator()
  const verifier = { salt: SALT, iterations: 4096, storedKey: storedKey(clientKey), serverKey }
  await control.request(CreateUser, { user: name, role: 'bot', ...verifier })
  await control.close()
  const client = await connect()
  await client.login(name, { password: 'bot' })
  return client
}

/** Answers every message until one is refused; resolves with the failure. */
export async function echo(
  client: Client,
  answer: (message: { from: string; group?: string; hops: number }) => Promise<unknown>,
) {
  for await (const message of client.messages()) {
    try {
      await answer(message)
    } catch (error) {
      return (error as { failure?: string }).failure
    }
  }
  return 'closed'
}
