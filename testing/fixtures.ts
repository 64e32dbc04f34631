import { randomBytes } from 'node:crypto'
import type { LoginKeys } from '../client/index.ts'
import { generateKeyPair, type KeyPair } from '../core/index.ts'
import { deriveKeys, MIN_ITERATIONS, type Verifier, verifierOf } from '../core/scram/index.ts'
import { imageOf, migrate, openInMemory } from '../db/index.ts'

/** Fixtures that take milliseconds to make, shared by all servers of the process and prepared on import. */

export interface Secret {
  /** For the login of a client. */
  readonly keys: LoginKeys
  /** For the server's account table. */
  readonly verifier: Verifier
}

/** Starts the work at once; its error is thrown to each caller of the returned function. */
function prepared<T>(make: () => Promise<T>): () => Promise<T> {
  const making = make()
  making.catch(() => {})
  return () => making
}

export const serverKey: KeyPair = generateKeyPair()

/** Keys and verifier of the one password that all test users have. */
export const testSecret: () => Promise<Secret> = prepared(async () => {
  const salt = randomBytes(32)
  const keys = await deriveKeys('the password of every test user', salt, MIN_ITERATIONS)
  return {
    keys: { ...keys, salt, iterations: MIN_ITERATIONS },
    verifier: verifierOf(keys, salt, MIN_ITERATIONS),
  }
})

/** Image of a database with the server's own tables, without rows. */
export const emptyDatabase: () => Promise<Buffer> = prepared(async () => {
  const db = openInMemory()
  try {
    await migrate(db)
    return await imageOf(db)
  } finally {
    await db.destroy()
  }
})
