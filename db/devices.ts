import type { Knex } from 'knex'
import { lockUsers } from './locks.ts'
import { note } from './log.ts'
import { transact } from './transaction.ts'

/** A key with which a device logs in. Times in milliseconds since 1970 UTC. */
export interface DeviceRow {
  readonly id: number
  readonly user_id: number
  readonly name: string
  /** Base64 of the SubjectPublicKeyInfo. */
  readonly public_key: string
  /** Hash of the account's verifier when the device was added: with another password the key is not valid. */
  readonly verifier_hash: string
  readonly added_at: number
  /** 0 before the first login. */
  readonly used_at: number
}

export type NewDeviceRow = Omit<DeviceRow, 'id' | 'used_at'>

type StoredRow = DeviceRow & { readonly isActive: number }

/** Devices of a user that may log in: of the present password, and not revoked. */
export const devicesOf = (db: Knex, userId: number, verifierHash: string): Promise<DeviceRow[]> =>
  db<StoredRow>('device').where({ user_id: userId, isActive: 1, verifier_hash: verifierHash }).orderBy('id')

/**
 * Stores a device, or finds the one with the same key. Devices of earlier passwords are revoked.
 * @returns the id; undefined if the user has `limit` devices
 */
export const insertDevice = (db: Knex, row: NewDeviceRow, limit: number): Promise<number | undefined> =>
  transact(db, async (trx) => {
    const { user_id, public_key, verifier_hash } = row
    await lockUsers(trx, user_id)
    await trx<StoredRow>('device').where({ user_id, isActive: 1 }).whereNot({ verifier_hash }).update({ isActive: 0 })
    const devices = await devicesOf(trx, user_id, verifier_hash)
    const same = devices.find((device) => device.public_key === public_key)
    if (same !== undefined) return same.id
    if (devices.length >= limit) return undefined
    const [id] = await trx('device').insert({ ...row, isActive: 1 })
    return id
  })

/** A device that was not revoked. */
export const findDevice = (db: Knex, userId: number, id: number): Promise<DeviceRow | undefined> =>
  db<StoredRow>('device').where({ id, user_id: userId, isActive: 1 }).first()

/** Sets the time of a login. False if the device was revoked. */
export const useDevice = async (db: Knex, { user_id, id }: DeviceRow, now: number): Promise<boolean> =>
  (await db<StoredRow>('device').where({ id, user_id, isActive: 1 }).update({ used_at: now })) > 0

/** Revokes a device logically, as a change of its user. False if there was none. */
export const revokeDevice = (db: Knex, userId: number, id: number): Promise<boolean> =>
  transact(db, async (trx) => {
    const revoked = await trx<StoredRow>('device').where({ id, user_id: userId, isActive: 1 }).update({ isActive: 0 })
    if (revoked > 0) await note(trx, { topic: 'user', subject: userId })
    return revoked > 0
  })

/** Those of a user's devices that were revoked. */
export async function revokedDevices(db: Knex, userId: number, ids: readonly number[]): Promise<number[]> {
  const rows = await db<StoredRow>('device').where({ user_id: userId, isActive: 1 }).whereIn('id', ids).select('id')
  const valid = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !valid.has(id))
}
