import { definePlugin, lruCache, Refused, ROLES, type Role, toLine, toShownName, type User } from '../../core/index.ts'
import { DEFAULT_ITERATIONS, fakeVerifier, shapeOf, type Verifier } from '../../core/scram/index.ts'
import {
  findUsers,
  findUsersById,
  insertUser,
  listUsers,
  passwordSamples,
  type UserRow,
  updateUser,
} from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { Shapes } from './shapes.ts'
import { formatVerifier, parseVerifier } from './verifier.ts'

/** A user with what only the server may know. */
export interface Account extends User {
  readonly active: boolean
  /** Undefined for a password of a scheme this server does not take. */
  readonly verifier: Verifier | undefined
  readonly registeredAt: number
}

interface Names {
  readonly name: string
  /** Shown to others; the name if empty. */
  readonly nickname: string
}

export interface NewAccount extends Names {
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
/** Not for new accounts: the first would be taken for the system, the second, in the audit log, for the operator. */
const RESERVED = [SYSTEM.name, 'operator']
const DECOY_SHAPE = { iterations: DEFAULT_ITERATIONS, preHash: '', saltLength: 32 } as const
/** Kinds of stored passwords looked at when the server starts, the most frequent ones. */
const PASSWORD_KINDS = 16
const NEW_NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/
/** At most four bytes each: the 256 bytes that messages have for a nickname. */
const NICKNAME_CHARACTERS = 64

/** The names of a new account in the form that they are kept in. @throws Refused `invalid_name`, `username_taken` */
function checkedNames({ name: wanted, nickname: shown }: Names): Names {
  const name = wanted.toLowerCase()
  if (!NEW_NAME.test(name))
    throw new Refused(
      FAILURES.invalid_name,
      'a user name is 1 to 32 of a-z 0-9 . _ - and begins with a letter or digit',
    )
  if (RESERVED.includes(name)) throw new Refused(FAILURES.username_taken)
  const nickname = toShownName(shown.trim() || name, NICKNAME_CHARACTERS)
  if (nickname !== undefined) return { name, nickname }
  throw new Refused(
    FAILURES.invalid_name,
    `a nickname is one line of at most ${NICKNAME_CHARACTERS} characters, all of which can be seen`,
  )
}

/** Who has an account. Other plugins ask here, never the table; a change here is seen by all of them at once. */
export const accounts = definePlugin({
  name: 'accounts',
  failures: FAILURES,
  async setup(app, { db }) {
    const byName = lruCache<string, Account>(CACHED)
    const byId = lruCache<number, Account>(CACHED)
    // As they were asked for, with the name of the account: an adopted database may hold "Bob" beside "bob".
    const spellings = lruCache<string, string>(CACHED)
    const loading = new Map<string, Promise<Account | undefined>>()
    const shapes = new Shapes()
    for (const { password, accounts } of await passwordSamples(db, PASSWORD_KINDS)) {
      const verifier = parseVerifier(password)
      if (verifier !== undefined) shapes.count(shapeOf(verifier), accounts)
    }

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

    /** Read in place of an account that does not exist: the same work as for one that does. */
    const decoy: UserRow = {
      id: 0,
      username: 'nobody',
      password: formatVerifier(fakeVerifier(app.secret('decoy'), 'nobody', DECOY_SHAPE)),
      nickname: 'nobody',
      role: 'user',
      reg_time: 0,
      isActive: 0,
    }

    /**
     * The account of that name out of the database, with one statement whether there is one or not, and past the
     * memory: for requests of strangers, to whom neither a quick answer nor a slow one may tell which names exist.
     */
    const read = async (name: string): Promise<Account | undefined> => {
      const lower = name.toLowerCase()
      const rows = await findUsers(db, [name, lower])
      // Adopted databases may hold names that are not in lower case, or a user called system: what is there goes first.
      const row = rows.find(({ username }) => username === name) ?? rows[0]
      const account = toAccount(row ?? decoy)
      if (row !== undefined) return account
      return lower === SYSTEM.name ? SYSTEM : undefined
    }

    const load = async (name: string): Promise<Account | undefined> => {
      const asOf = changes
      const account = await read(name)
      if (account === undefined || account === SYSTEM) return account
      if (account.name !== name) spellings.set(name, account.name)
      return remember(account, asOf)
    }

    /**
     * The account of that name, enabled or disabled, at once when it is in memory. Callers that come while it is being
     * loaded share the promise and go on in the order they came.
     */
    const find = (name: string): Account | undefined | Promise<Account | undefined> => {
      const known = byName.get(name) ?? byName.get(spellings.get(name) ?? '') ?? loading.get(name)
      if (known !== undefined) return known
      const promise = load(name)
      loading.set(name, promise)
      const loaded = () => {
        if (loading.get(name) === promise) loading.delete(name)
      }
      promise.then(loaded, loaded)
      return promise
    }

    const require = async (name: string): Promise<Account> => {
      const account = await find(name)
      if (account !== undefined && account !== SYSTEM) return account
      throw new Refused(FAILURES.user_not_exist, `there is no user "${name}"`)
    }

    const change = async (name: string, values: Parameters<typeof updateUser>[2]): Promise<Account> => {
      const account = await require(name)
      await updateUser(db, account.name, values)
      changes++
      loading.clear()
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
      read,
      /** What the accounts' verifiers look like, for names that have none. */
      shapes,

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
        throw new Refused(FAILURES.user_not_exist, `there is no user "${name}"`)
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

      /**
       * Whether an account could be made now, before any work is done for it.
       * @throws Refused `invalid_name`, `username_taken`
       */
      async checkNew(wanted: Names) {
        const { name } = checkedNames(wanted)
        if ((await read(name)) !== undefined) throw new Refused(FAILURES.username_taken)
      },

      /** @throws Refused `invalid_name`, `username_taken` */
      async create({ role, verifier, ...wanted }: NewAccount): Promise<{ id: number; name: string }> {
        const { name: username, nickname } = checkedNames(wanted)
        const identity = { username, password: formatVerifier(verifier), nickname, role }
        const id = await insertUser(db, identity, app.clock.time())
        // What is being read now may not have seen it.
        loading.clear()
        if (id === undefined) throw new Refused(FAILURES.username_taken)
        shapes.count(shapeOf(verifier), 1)
        return { id, name: username }
      },

      /** Sets new keys and ends the user's sessions, but for one. @throws Refused `user_not_exist` */
      async setVerifier(name: string, verifier: Verifier, exceptSession?: number) {
        const { id, verifier: old } = await change(name, { password: formatVerifier(verifier) })
        if (old !== undefined) shapes.count(shapeOf(old), -1)
        shapes.count(shapeOf(verifier), 1)
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
