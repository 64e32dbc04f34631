import { DatabaseError } from './errors.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** What a backup holds. */
export interface Backup {
  /** Undefined where counting would mean to load it first. */
  readonly accounts?: number
  readonly messages?: number
}

/** @throws DatabaseError when one of the migrations of a backup is not known here */
export function checkMigrations(file: string, names: readonly string[]) {
  const newer = names.filter((name) => !name.includes('/') && !Object.hasOwn(MIGRATIONS, name))
  if (newer.length > 0)
    throw new DatabaseError(`${file} was made by a newer version of chatctl (${newer.join(', ')}): use that version`)
}

/** Now, to the millisecond, in 17 digits: part of the names of what was set aside. */
export const stampNow = () => new Date().toISOString().replace(/\D/g, '')
