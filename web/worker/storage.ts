import { del, entries, get, set } from 'idb-keyval'
import type { Unsent } from '../shared/model.ts'

/** The server's key that was seen first. */
export interface Pin {
  readonly key: string
  /** True once the server proved that it knows an account: only then it may choose fewer iterations. */
  readonly proven: boolean
}

/** The key with which this browser logs in. */
export interface StoredDevice {
  readonly user: string
  readonly device: number
  readonly keys: CryptoKeyPair
}

const outboxKey = ({ user, clientId }: Pick<Unsent, 'user' | 'clientId'>) => `unsent/${user}/${clientId}`

export const loadPin = () => get<Pin>('pin')
export const savePin = (pin: Pin) => set('pin', pin)

export const loadDevice = () => get<StoredDevice>('device')
export const saveDevice = (device: StoredDevice) => set('device', device)
export const deleteDevice = () => del('device')

/** A browser that keeps no files, or has no room, keeps the message until its last tab is closed. */
export async function saveUnsent(unsent: Unsent) {
  try {
    await set(outboxKey(unsent), unsent)
  } catch (error) {
    if (unsent.file === undefined) throw error
  }
}

export const deleteUnsent = (unsent: Unsent) => del(outboxKey(unsent))

/** Messages that a user wrote and the server has not acknowledged, oldest first. */
export async function loadUnsent(user: string): Promise<Unsent[]> {
  const found = (await entries<string, Unsent>()).filter(([key]) => key.startsWith(outboxKey({ user, clientId: '' })))
  return found.map(([, unsent]) => unsent).sort((one, other) => one.createdAt - other.createdAt)
}
