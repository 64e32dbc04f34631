import { randomBytes } from 'node:crypto'
import { knownPreHash } from '../client/credentials.ts'
import type { Client } from '../client/index.ts'
import { deriveKeys, MIN_ITERATIONS, type Verifier, verifierOf } from '../core/scram/index.ts'
import { NewSalt } from '../plugins/registration/messages.ts'

/** The verifier of a password, made here, with the server's salt and count: it never sees the password itself. */
export async function makeVerifier(client: Client, password: string): Promise<Verifier> {
  const made = await client.request(NewSalt, { clientSalt: randomBytes(16) })
  const [salt, preHash] = [Buffer.from(made.salt), knownPreHash(made.preHash)]
  return verifierOf(await deriveKeys(password, salt, made.iterations, preHash), salt, made.iterations, preHash)
}

/**
 * A new key to log in with in place of a password, and its verifier, of the fewest iterations there are: 32 random bytes
 * are not found by trying, however cheap a try is.
 */
export async function makeKey(): Promise<{ key: string; verifier: Verifier }> {
  const key = `ckey_${randomBytes(32).toString('base64url')}`
  const salt = randomBytes(32)
  return { key, verifier: verifierOf(await deriveKeys(key, salt, MIN_ITERATIONS), salt, MIN_ITERATIONS) }
}
