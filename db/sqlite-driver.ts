import { createRequire } from 'node:module'
import type Database from 'better-sqlite3'

export type { Database, RunResult, Statement } from 'better-sqlite3'

/** Version of Node-API that better-sqlite3 13 is built for: Node 22.14 and later have it, Node 20 does not. */
const NODE_API = 10

const NAME = Number(process.versions.napi) >= NODE_API ? 'better-sqlite3-13' : 'better-sqlite3'

/**
 * better-sqlite3 for this Node, see docs/decisions/0017-supported-node-versions.md. Version 12 aborts the process on Node 24.19
 * and later when it was compiled there; version 13 crashes on Node 20.
 */
export const Sqlite: typeof Database = createRequire(import.meta.url)(NAME)
