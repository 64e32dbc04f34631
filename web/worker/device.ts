import type { Client } from '../../client/client.ts'
import type { DeviceCredentials } from '../../client/login.ts'
import { AddDevice } from '../../plugins/devices/messages.ts'
import { loadDevice, type StoredDevice, saveDevice } from './storage.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const

/**
 * Lets this browser log in to the account with a key of its own, so that no password is stored. The private key cannot be
 * read, not even by this page.
 * @returns undefined where the browser has no cryptography: without TLS
 */
export async function enrol(client: Client, user: string): Promise<StoredDevice | undefined> {
  if (!isSecureContext) return undefined
  const known = await loadDevice()
  const keys = known?.user === user ? known.keys : await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify'])
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey))
  const { device } = await client.request(AddDevice, { name: deviceName(), publicKey })
  const stored = { user, device, keys }
  await saveDevice(stored)
  return stored
}

export const credentialsOf = ({ user, device, keys }: StoredDevice): DeviceCredentials => ({
  user,
  device,
  sign: async (data) => new Uint8Array(await crypto.subtle.sign(SIGNATURE, keys.privateKey, new Uint8Array(data))),
})

/** Browser and system, as users know them. */
function deviceName(): string {
  const { userAgent } = navigator
  const find = (names: readonly string[]) => names.find((name) => userAgent.includes(name))
  const browser = find(['Firefox', 'Edg', 'OPR', 'Chrome', 'Safari']) ?? 'Browser'
  const system = find(['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux']) ?? ''
  return `${browser} ${system}`.trim()
}
