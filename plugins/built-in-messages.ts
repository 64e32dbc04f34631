/** Every message type that a built-in plugin brings. Nothing else is exported here: catalogues are made of it. */

export * from './admin/messages.ts'
export * from './consumers/messages.ts'
export * from './contacts/messages.ts'
export * from './friends/messages.ts'
export * from './groups/messages.ts'
export * from './idempotency/messages.ts'
export * from './login/messages.ts'
export * from './messages/messages.ts'
export * from './registration/messages.ts'
export * from './schedule/messages.ts'
export * from './system/messages.ts'
export * from './tap/messages.ts'
