import { generateKeyPairSync, sign } from 'node:crypto'
import { AddDevice, type Client } from '../../client/index.ts'

/** A new key of a device, as a browser makes it. */
export function newKey(namedCurve = 'P-256') {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return {
    spki: publicKey.export({ format: 'der', type: 'spki' }),
    point: Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
    sign: async (data: Uint8Array) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}

/** Adds a device to the account of a client; returns what a login with it needs. */
export async function addDevice(client: Client, user: string, name = 'phone') {
  const key = newKey()
  const { device } = await client.request(AddDevice, { name, publicKey: key.spki })
  return { user, device, sign: key.sign }
}

/** Resolves with the name of the failure that a session is closed with. */
export const closing = (client: Client) =>
  new Promise<string>((resolve) =>
    client.onLife('closed', (error) => resolve((error as { failure?: string }).failure ?? '')),
  )
