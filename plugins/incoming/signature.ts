import { createHmac, timingSafeEqual } from 'node:crypto'
import type { HttpRequest } from '../../core/index.ts'

/** The key of a hook's signatures: derived, so that nothing of it is stored. */
export const signingKey = (secret: Buffer, tokenHash: string): string =>
  createHmac('sha256', secret).update(tokenHash).digest('hex')

/** Whether a request is signed as GitHub and Gitea do; undefined if it says nothing about it. */
export function isSigned({ headers }: HttpRequest, body: Buffer, key: string): boolean | undefined {
  const given = headers['x-hub-signature-256'] ?? headers['x-gitea-signature']
  if (given === undefined) return undefined
  const signature = Buffer.from(String(given).replace(/^sha256=/, ''), 'hex')
  const expected = createHmac('sha256', key).update(body).digest()
  return signature.length === expected.length && timingSafeEqual(signature, expected)
}
