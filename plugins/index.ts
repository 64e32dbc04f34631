export * from './built-in.ts'
export * from './built-in-failures.ts'
export * from './built-in-limits.ts'
export * from './built-in-messages.ts'
