import { randomBytes } from 'node:crypto'
import { checkNewPassword } from '../client/credentials.ts'
import type { Client } from '../client/index.ts'
import { deriveKeys, type Verifier, verifierOf } from '../core/scram/index.ts'
import { NewSalt } from '../plugins/registration/messages.ts'

/**
 * The verifier of a password, made here, with the salt and count of the operator's own server, which never sees the
 * password itself.
 * @throws ScramError `password` for one that cannot be, or that is shorter than the server's settings want
 */
export async function makeVerifier(client: Client, password: string): Promise<Verifier> {
  const made = await client.request(NewSalt, { clientSalt: randomBytes(16) })
  checkNewPassword(password, made.minPassword)
  const { iterations, preHash } = made
  const salt = Buffer.from(made.salt)
  return verifierOf(await deriveKeys(password, salt, iterations, preHash), salt, iterations, preHash)
}

/**
 * A new key to log in with in place of a password, and its verifier. With the server's own iteration count, although 32
 * random bytes are not found by trying: another count would tell everyone which names are of bots.
 */
export async function makeKey(client: Client): Promise<{ key: string; verifier: Verifier }> {
  const key = `ckey_${randomBytes(32).toString('base64url')}`
  return { key, verifier: await makeVerifier(client, key) }
}
