import { migrate } from '../../../db/index.ts'
import { openInterrupted } from './interrupted-database.ts'

/** Migrates a database and kills itself after a number of statements. */
const [where = '', after] = process.argv.slice(2)
const { db } = await openInterrupted(where, Number(after), () => process.kill(process.pid, 'SIGKILL'))
await migrate(db)
