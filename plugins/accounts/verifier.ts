import type { PreHash, Verifier } from '../../core/scram/index.ts'

/** Scheme names of `userinfo.password`, by what the password went through first. */
const SCHEMES: Readonly<Record<PreHash, string>> = { '': 'SCRAM-SHA-256', md5x10: 'MD5x10-SCRAM-SHA-256' }

/**
 * A value of `userinfo.password`, in the form of RFC 5803: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`. The
 * scheme of a password that is hashed before says so in front: `MD5x10-SCRAM-SHA-256`.
 */
export function formatVerifier({ salt, iterations, storedKey, serverKey, preHash = '' }: Verifier): string {
  const base64 = (bytes: Buffer) => bytes.toString('base64')
  return `${SCHEMES[preHash]}$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`
}

/** Reads what formatVerifier wrote; undefined for a value of any other scheme, with which nobody can log in. */
export function parseVerifier(password: string): Verifier | undefined {
  const [scheme, parameters = '', keys = '', ...rest] = password.split('$')
  const [iterations = '', salt] = parameters.split(':')
  const [storedKey, serverKey] = keys.split(':')
  const preHash = (Object.keys(SCHEMES) as PreHash[]).find((name) => SCHEMES[name] === scheme)
  if (preHash === undefined || rest.length > 0 || !salt || !storedKey || !serverKey) return undefined
  const bytes = (base64: string) => Buffer.from(base64, 'base64')
  return {
    iterations: Number(iterations),
    salt: bytes(salt),
    storedKey: bytes(storedKey),
    serverKey: bytes(serverKey),
    preHash,
  }
}

/** Whether two verifiers are of the same password; an account may have been read twice. */
export const isSameVerifier = (one: Verifier | undefined, other: Verifier | undefined) =>
  one !== undefined && other !== undefined && formatVerifier(one) === formatVerifier(other)

/** The verifier that a message carries as plain bytes. */
export function verifierFrom(values: {
  salt: Uint8Array
  iterations: number
  storedKey: Uint8Array
  serverKey: Uint8Array
  preHash: PreHash
}): Verifier {
  const { salt, iterations, storedKey, serverKey, preHash } = values
  return {
    iterations,
    salt: Buffer.from(salt),
    storedKey: Buffer.from(storedKey),
    serverKey: Buffer.from(serverKey),
    preHash,
  }
}
