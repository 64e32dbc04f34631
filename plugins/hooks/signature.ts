import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'

const PREFIX = 'whsec_'
const [IV_BYTES, TAG_BYTES] = [12, 16]
/** How long the former secret of a rotated hook signs too. */
const ROTATION_MS = 86_400_000

const schema = z.strictObject({ current: z.string(), former: z.string(), formerUntil: z.number() })

/** The secrets of a hook. Standard Webhooks, version 1. */
export type Secrets = z.infer<typeof schema>

export const newSecret = () => PREFIX + randomBytes(32).toString('base64')

export const newSecrets = (): Secrets => ({ current: newSecret(), former: '', formerUntil: 0 })

/** A new secret; the former one is valid for a day, in which its receiver changes over. */
export const rotated = ({ current }: Secrets, now: number): Secrets => ({
  current: newSecret(),
  former: current,
  formerUntil: now + ROTATION_MS,
})

/** Headers that identify and sign a request. @param now milliseconds since 1970 */
export function signedHeaders({ current, former, formerUntil }: Secrets, id: string, body: string, now: number) {
  const timestamp = String(Math.floor(now / 1000))
  const valid = now < formerUntil ? [current, former] : [current]
  const signatures = valid.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

/** Encrypts the secrets for the database: a copy of it, or a backup, cannot sign. @param key 32 bytes */
export function sealed(secrets: Secrets, key: Buffer): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  const data = Buffer.concat([cipher.update(JSON.stringify(secrets)), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), data]).toString('base64')
}

/** @throws Error for another key than that of `sealed` */
export function opened(text: string, key: Buffer): Secrets {
  const bytes = Buffer.from(text, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
  const data = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
  return schema.parse(JSON.parse(data.toString()))
}
