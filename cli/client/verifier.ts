import { randomBytes } from 'node:crypto'
import { checkNewPassword } from '../../client/credentials.ts'
import type { Client } from '../../client/index.ts'
import { deriveKeys, type Verifier, verifierOf } from '../../core/scram/index.ts'
import { NewSalt } from '../../plugins/registration/messages.ts'

/**
 * The verifier of a password, computed here with the server's salt and iteration count: the server never sees the
 * password.
 * @throws ScramError `password` for a password that is not allowed or shorter than `minPassword`
 */
export async function makeVerifier(client: Client, password: string): Promise<Verifier> {
  const made = await client.request(NewSalt, { clientSalt: randomBytes(16) })
  checkNewPassword(password, made.minPassword)
  const { iterations, preHash } = made
  const salt = Buffer.from(made.salt)
  return verifierOf(await deriveKeys(password, salt, iterations, preHash), salt, iterations, preHash)
}

/**
 * A random key that replaces a password, and its verifier. With the server's iteration count, although 32 random bytes
 * need none: another count would reveal which names belong to bots.
 */
export async function makeKey(client: Client): Promise<{ key: string; verifier: Verifier }> {
  const key = `ckey_${randomBytes(32).toString('base64url')}`
  return { key, verifier: await makeVerifier(client, key) }
}
