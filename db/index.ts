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
  countConsumers,
  countStates,
  findConsumer,
  lastIdBefore,
  type StateRow,
} from './consumers.ts'
export * from './contacts.ts'
export * from './correspondence.ts'
export { DatabaseError } from './errors.ts'
export * from './friends.ts'
export { readEpoch, renewEpoch } from './generation.ts'
export * from './groups.ts'
export type { Read, Stored } from './message-store.ts'
export { MessageWriter } from './message-writer.ts'
export * from './messages.ts'
export {
  isEmpty,
  type Migration,
  type MigrationState,
  type Migrations,
  migrate,
  migrationState,
  rollback,
  rollbackAll,
} from './migrate.ts'
export { withoutPassword } from './mysql.ts'
export { isDatabaseUrl, openDatabase } from './open.ts'
export * from './request-keys.ts'
export * from './scheduled.ts'
export { imageOf, openInMemory } from './sqlite.ts'
export { isUnavailable } from './transaction.ts'
export * from './users.ts'
