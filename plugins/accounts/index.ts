import { definePlugin, isLine, lruCache, Refused, ROLES, type Role, toLine, type User } from '../../core/index.ts'
import type { Verifier } from '../../core/scram/index.ts'
import { findUser, findUsersById, insertUser, listUsers, type UserRow, updateUser } from '../../db/index.ts'
import { formatVerifier, parseVerifier } from './verifier.ts'

/** A user with what only the server may know. */
export interface Account extends User {
  readonly active: boolean
  /** Undefined for a password of a scheme this server does not take. */
  readonly verifier: Verifier | undefined
  readonly registeredAt: number
}

export interface NewAccount {
  readonly name: string
  readonly nickname: string
  readonly role: Role
  readonly verifier: Verifier
}

/**
 * Who system messages are from. It has no row in the database and is never active, so nobody logs in as it, acts as it or
 * writes to it; its name cannot be registered.
 */
export const SYSTEM: Account = Object.freeze({
  id: 0,
  name: 'system',
  nickname: 'system',
  role: 'admin',
  active: false,
  verifier: undefined,
  registeredAt: 0,
})

/** Accounts kept in memory: a message path must not ask the database who its two ends are. */
const CACHED = 20_000
const NEW_NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/
/** At most four bytes each: the 256 bytes that messages have for a nickname. */
const NICKNAME_CHARACTERS = 64

/** Who has an account. Other plugins ask here, never the table; a change here is seen by all of them at once. */
export const accounts = definePlugin({
  name: 'accounts',
  setup(app, { db }) {
    const byName = lruCache<string, Account>(CACHED)
    const byId = lruCache<number, Account>(CACHED)
    // As they were asked for: an adopted database may hold "Bob" beside "bob", so case alone decides nothing.
    const spellings = lruCache<string, Account>(CACHED)
    // Names that nobody has are answered as quickly as others, or the time would tell.
    const missing = lruCache<string, true>(CACHED)
    const loading = new Map<string, Promise<Account | undefined>>()

    /** Grows with each change of an account: what was read before it must not be kept. */
    let changes = 0

    const toAccount = (row: UserRow): Account => ({
      id: row.id,
      name: row.username,
      // One line, whatever an adopted database holds.
      nickname: toLine(row.nickname, 256),
      role: ROLES.find((role) => role === row.role) ?? 'user',
      active: row.isActive === 1,
      verifier: parseVerifier(row.password),
      registeredAt: row.reg_time,
    })

    /** Keeps what was read, unless an account has changed since `asOf`. */
    const remember = (account: Account, asOf: number): Account => {
      if (asOf !== changes) return account
      byName.set(account.name, account)
      byId.set(account.id, account)
      return account
    }

    const load = async (name: string): Promise<Account | undefined> => {
      const asOf = changes
      try {
        // Adopted databases may hold names that are not in lower case: the exact name goes first.
        const lower = name.toLowerCase()
        const row = (await findUser(db, name)) ?? (name === lower ? undefined : await findUser(db, lower))
        if (row !== undefined) {
          const account = remember(toAccount(row), asOf)
          if (asOf === changes) spellings.set(name, account)
          return account
        }
        // Adopted databases may have a user of that name: what is in the database goes first.
        if (lower === SYSTEM.name) return SYSTEM
        if (asOf === changes) missing.set(name, true)
        return undefined
      } finally {
        // Not that of a later one, begun after a change.
        if (asOf === changes) loading.delete(name)
      }
    }

    /**
     * The account of that name, enabled or disabled, at once when it is in memory. Callers that come while it is being loaded share the
     * promise and go on in the order they came.
     */
    const find = (name: string): Account | undefined | Promise<Account | undefined> => {
      const known = byName.get(name) ?? spellings.get(name) ?? loading.get(name)
      if (known !== undefined || missing.has(name)) return known
      const promise = load(name)
      loading.set(name, promise)
      return promise
    }

    const require = async (name: string): Promise<Account> => {
      const account = await find(name)
      if (account !== undefined && account !== SYSTEM) return account
      throw new Refused('user_not_exist', `there is no user "${name}"`)
    }

    const change = async (name: string, values: Parameters<typeof updateUser>[2]): Promise<Account> => {
      const account = await require(name)
      await updateUser(db, account.name, values)
      changes++
      loading.clear()
      spellings.clear()
      byName.delete(account.name)
      byId.delete(account.id)
      return account
    }

    /** Ends the sessions of an account that may no longer be used as it was. */
    const endSessions = (id: number, reason: 'account_disabled' | 'logged_out', except?: number) => {
      for (const session of [...app.sessions.of(id)]) if (session.id !== except) session.close(reason)
    }

    return {
      find,

      /**
       * The account of that name, enabled or disabled: for what is done *to* an account (kick, demote, block, delete).
       * A disabled account must not be out of reach of that. The system's account is never found here: it stays as it is.
       * @throws Refused `user_not_exist`
       */
      require,

      /**
       * The account of that name if it is enabled: for what needs the user to take part (write to, invite, befriend).
       * @throws Refused `user_not_exist`, also for a disabled account
       */
      async requireActive(name: string): Promise<Account> {
        const account = await require(name)
        if (account.active) return account
        throw new Refused('user_not_exist', `there is no user "${name}"`)
      },

      /** Accounts by number; what is not in memory is read with one query. */
      async byIds(ids: Iterable<number>): Promise<Map<number, Account>> {
        const wanted = [...new Set(ids)]
        const found = new Map<number, Account>()
        for (const id of wanted) {
          const account = id === SYSTEM.id ? SYSTEM : byId.get(id)
          if (account !== undefined) found.set(id, account)
        }
        const missing = wanted.filter((id) => !found.has(id))
        if (missing.length === 0) return found
        const asOf = changes
        for (const row of await findUsersById(db, missing)) found.set(row.id, remember(toAccount(row), asOf))
        return found
      },

      /** @throws Refused `invalid_name`, `username_taken` */
      async create({ name, nickname, role, verifier }: NewAccount): Promise<{ id: number; name: string }> {
        const username = name.toLowerCase()
        if (!NEW_NAME.test(username))
          throw new Refused('invalid_name', 'a user name is 1 to 32 of a-z 0-9 . _ - and begins with a letter or digit')
        if (username === SYSTEM.name) throw new Refused('username_taken')
        const shown = nickname.normalize('NFC').trim() || username
        if ([...shown].length > NICKNAME_CHARACTERS || !isLine(shown))
          throw new Refused('invalid_name', `a nickname is one line of at most ${NICKNAME_CHARACTERS} characters`)
        const identity = { username, password: formatVerifier(verifier), nickname: shown, role }
        const id = await insertUser(db, identity, app.clock.time())
        changes++
        loading.clear()
        spellings.clear()
        missing.clear()
        if (id === undefined) throw new Refused('username_taken')
        return { id, name: username }
      },

      /** Sets new keys and ends the user's sessions, but for one. @throws Refused `user_not_exist` */
      async setVerifier(name: string, verifier: Verifier, exceptSession?: number) {
        const { id } = await change(name, { password: formatVerifier(verifier) })
        endSessions(id, 'logged_out', exceptSession)
      },

      /** @throws Refused `user_not_exist` */
      async setActive(name: string, active: boolean) {
        const { id } = await change(name, { isActive: active ? 1 : 0 })
        if (!active) endSessions(id, 'account_disabled')
      },

      async list(afterId: number, limit: number): Promise<Account[]> {
        const asOf = changes
        return (await listUsers(db, afterId, limit)).map((row) => remember(toAccount(row), asOf))
      },
    }
  },
})
