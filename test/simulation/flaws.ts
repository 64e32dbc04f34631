import { PresenceReporter } from '../../core/session/presence-reporter.ts'
import { LogFeed } from '../../db/log-feed.ts'
import type { Committed } from '../../db/message-store.ts'
import { UNCHECKED } from '../../db/outdated.ts'
import { type Database, Sqlite } from '../../db/sqlite-driver.ts'
import { SqliteMessages } from '../../db/sqlite-messages.ts'
import { Hooks } from '../../plugins/hooks/hooks.ts'
import { Deliveries } from '../../plugins/messages/deliveries.ts'

const { commit } = SqliteMessages.prototype
const { fanOut } = Deliveries.prototype
const { prepare } = Sqlite.prototype

/** Ids of all users of a run. */
const EVERYBODY = [1, 2, 3, 4, 5, 6]

let stored = 0

/** Faults built into the servers, each of which a run must find: without these a run that finds nothing says nothing. */
export const FLAWS: Readonly<Record<string, () => void>> = {
  /** A message is acknowledged although its commit has failed. */
  'acknowledges-early': () => {
    SqliteMessages.prototype.commit = async function flawed(messages, reads, horizon) {
      try {
        return await commit.call(this, messages, reads, horizon)
      } catch {
        const done = messages.map((row, at) => ({ done: { id: horizon + 1 + at, row, repeat: false } }))
        return { messages: done, reads: reads.map(() => ({ done: true })) }
      }
    }
  },
  /** A message that is sent again is stored again. */
  'stores-twice': () => {
    SqliteMessages.prototype.commit = function flawed(messages, reads, horizon) {
      const renamed = messages.map((row) => ({ ...row, client_id: `${row.client_id.slice(0, 50)} ${++stored}` }))
      return commit.call(this, renamed, reads, horizon)
    }
  },
  /** Read positions are acknowledged and not stored. */
  'forgets-reads': () => {
    SqliteMessages.prototype.commit = async function flawed(messages, reads, horizon): Promise<Committed> {
      const committed = await commit.call(this, messages, [], horizon)
      return { ...committed, reads: reads.map(() => ({ done: true })) }
    }
  },
  /** Messages are pushed to everybody. */
  'pushes-to-all': () => {
    Deliveries.prototype.fanOut = function flawed(conversation, message, _recipients, except) {
      fanOut.call(this, conversation, message, EVERYBODY, except)
    }
  },
  /** Recalled messages are read as others are. */
  'shows-recalled': () => {
    Sqlite.prototype.prepare = function flawed(this: Database, sql: string) {
      return prepare.call(this, sql.replaceAll('where m.isActive = 1', 'where m.isActive = m.isActive'))
    } as typeof prepare
  },
  /** A server that starts takes no hooks. */
  'leaves-hooks': () => {
    Hooks.prototype.load = async () => []
  },
  /** Several nodes: no node says who comes and goes. */
  'hides-users': () => {
    PresenceReporter.prototype.changed = () => {}
  },
  /** Several nodes: what was checked of a message is not checked again at its commit. */
  'checks-once': () => {
    SqliteMessages.prototype.commit = function flawed(messages, reads, horizon) {
      const checked = messages.map((row) => ({ ...row, checkedUpTo: UNCHECKED }))
      return commit.call(this, checked, reads, horizon)
    }
  },
  /** Several nodes: the log is read only when another node says so. */
  'trusts-wake-ups': () => {
    LogFeed.prototype.catchUp = async () => {}
    Object.defineProperty(LogFeed.prototype, 'isBehind', { get: () => false })
  },
  /** Now and then a message is not pushed. */
  'forgets-pushes': () => {
    Deliveries.prototype.fanOut = function flawed(conversation, message, recipients, except) {
      if (message.id % 20 !== 0) fanOut.call(this, conversation, message, recipients, except)
    }
  },
}
