import { randomBytes } from 'node:crypto'
import type { LoginKeys } from '../client/index.ts'
import { generateKeyPair, type KeyPair } from '../core/index.ts'
import { deriveKeys, MIN_ITERATIONS, type Verifier, verifierOf } from '../core/scram/index.ts'
import { imageOf, migrate, openInMemory } from '../db/index.ts'

/**
 * What costs milliseconds to make and is as good for the next server: made once a process, and begun with the import, so
 * that the first test does not pay for all of them.
 */

export interface Secret {
  /** What a client logs in with. */
  readonly keys: LoginKeys
  /** What the server knows of it. */
  readonly verifier: Verifier
}

/** Begins at once; what goes wrong is told to whoever asks. */
function begun<T>(make: () => Promise<T>): () => Promise<T> {
  const making = make()
  making.catch(() => {})
  return () => making
}

export const serverKey: KeyPair = generateKeyPair()

/** What follows from the password of every test user. */
export const secret: () => Promise<Secret> = begun(async () => {
  const salt = randomBytes(32)
  const keys = await deriveKeys('the password of every test user', salt, MIN_ITERATIONS)
  return {
    keys: { ...keys, salt, iterations: MIN_ITERATIONS },
    verifier: verifierOf(keys, salt, MIN_ITERATIONS),
  }
})

/** A database with the server's own tables and nothing in them. */
export const emptyDatabase: () => Promise<Buffer> = begun(async () => {
  const db = openInMemory()
  try {
    await migrate(db)
    return await imageOf(db)
  } finally {
    await db.destroy()
  }
})
