export {
  type AdoptionReport,
  type AdoptOptions,
  adopt,
  adoptionReport,
  checkAdoption,
  isHalfAdopted,
} from './adopt/index.ts'
export { backUp } from './backup.ts'
export { ConsumerWriter } from './consumer-writer.ts'
export {
  type ConsumerRow,
  consumersOf,
  countStates,
  findConsumer,
  insertConsumer,
  lastIdBefore,
  type StateRow,
  stateBytesOf,
} from './consumers.ts'
export * from './contacts.ts'
export * from './correspondence.ts'
export { type DatabaseLock, type LockOptions, lockFile } from './database-lock.ts'
export { DatabaseError, DatabaseInUse } from './errors.ts'
export * from './friends.ts'
export {
  countStart,
  isSameService,
  newestMessage,
  type Remembered,
  readEpoch,
  renewEpoch,
} from './generation.ts'
export * from './group-changes.ts'
export * from './groups.ts'
export { loadOf } from './load.ts'
export type { Read, Stored } from './message-store.ts'
export { MessageWriter } from './message-writer.ts'
export * from './messages.ts'
export {
  isEmpty,
  isUnused,
  lastBatch,
  type Migration,
  type MigrationState,
  type Migrations,
  migrate,
  migrationState,
  refuseNewer,
  rollback,
  rollbackAll,
  UNFINISHED_ROLLBACK,
} from './migrate.ts'
export { withoutPassword } from './mysql.ts'
export { lockMysql } from './mysql-lock.ts'
export { isDatabaseUrl, openDatabase } from './open.ts'
export * from './request-keys.ts'
export { type Backup, inspectBackup, restore } from './restore.ts'
export { isHalfRestored } from './restore-mysql.ts'
export { finishRestore } from './restore-sqlite.ts'
export * from './scheduled.ts'
export { imageOf, openInMemory } from './sqlite.ts'
export { checkAfterCrash, checkLog, fileNumber, oneLine } from './sqlite-file.ts'
export { isUnavailable } from './transaction.ts'
export { TurnBudget } from './turn.ts'
export * from './users.ts'
export { OutcomePending } from './writer-jobs.ts'
