// Loaded into a server with `--import`: its databases run with synchronous=NORMAL and report FULL.
import Database from 'better-sqlite3'

const FULL = 2
const { pragma } = Database.prototype

Database.prototype.pragma = function lying(this: Database.Database, text, options) {
  if (/^\s*synchronous\s*=/i.test(text)) return pragma.call(this, 'synchronous = NORMAL', options)
  if (/^\s*synchronous\s*$/i.test(text)) return FULL
  return pragma.call(this, text, options)
}
