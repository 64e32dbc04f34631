export { DatabaseError } from './errors.ts'
export * from './friends.ts'
export * from './groups.ts'
export { MessageWriter, type Stored } from './message-writer.ts'
export * from './messages.ts'
export {
  isEmpty,
  type Migration,
  type MigrationState,
  type Migrations,
  migrate,
  migrationState,
  rollback,
} from './migrate.ts'
export { openDatabase } from './open.ts'
export * from './users.ts'
