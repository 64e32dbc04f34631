import { migrate } from '../../db/index.ts'
import { openCutShort } from './cut-short.ts'

/** Migrates a database, and is killed by its own hand after a number of statements. */
const [where = '', after] = process.argv.slice(2)
const { db } = await openCutShort(where, Number(after), () => process.kill(process.pid, 'SIGKILL'))
await migrate(db)
