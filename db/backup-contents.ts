import { DatabaseError } from './errors.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** Contents of a backup file. */
export interface Backup {
  /** Row counts; undefined for a SQL dump, which would have to be loaded to count them. */
  readonly accounts?: number
  readonly messages?: number
}

/** @throws DatabaseError when the backup records a migration that this version does not know */
export function checkMigrations(file: string, names: readonly string[]) {
  const newer = names.filter((name) => !name.includes('/') && !Object.hasOwn(MIGRATIONS, name))
  if (newer.length > 0)
    throw new DatabaseError(`${file} was made by a newer version of chatctl (${newer.join(', ')}): use that version`)
}

/** The current time in 17 digits, to the millisecond: part of the names of replaced files and tables. */
export const stampNow = () => new Date().toISOString().replace(/\D/g, '')
