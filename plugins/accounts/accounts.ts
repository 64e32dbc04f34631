import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, Refused, type Session, type UserSession } from '../../core/index.ts'
import { DEFAULT_ITERATIONS, fakeVerifier, shapeOf, type Verifier } from '../../core/scram/index.ts'
import {
  type ChangeFeed,
  findUsers,
  findUsersById,
  insertUser,
  listUsers,
  type UserRow,
  updateUser,
} from '../../db/index.ts'
import { type Account, existing, type Names, type NewAccount, SYSTEM, toAccount } from './account.ts'
import { AccountCache } from './account-cache.ts'
import { FAILURES } from './failures.ts'
import { checkNames } from './names.ts'
import { SessionEnds } from './session-ends.ts'
import type { Shapes } from './shapes.ts'
import { formatVerifier } from './verifier.ts'

const DECOY_SHAPE = { iterations: DEFAULT_ITERATIONS, preHash: '', saltLength: 32 } as const

export interface AccountsParts {
  readonly app: App
  readonly db: Knex
  readonly changes: ChangeFeed
  readonly shapes: Shapes
  readonly log: Logger
}

/** The one way to accounts for all plugins: reads are cached, and a change is visible to all of them at once. */
export class Accounts {
  /** Shapes of the accounts' verifiers, for names that have none. */
  readonly shapes: Shapes
  readonly #sessionEnds: SessionEnds
  readonly #app: App
  readonly #db: Knex
  readonly #changes: ChangeFeed
  readonly #cache = new AccountCache((name) => this.read(name))
  /** Parsed in place of an account that does not exist: the same work as for one that does. */
  readonly #decoy: UserRow

  constructor({ app, db, changes, shapes, log }: AccountsParts) {
    this.#app = app
    this.#db = db
    this.#changes = changes
    changes.follow('user', this.#cache)
    this.shapes = shapes
    this.#sessionEnds = new SessionEnds({
      app,
      find: async (id) => (await this.byIds([id])).get(id),
      onError: (error) => log.warn({ err: error }, 'cannot check the sessions of a changed account'),
    })
    changes.follow('user', this.#sessionEnds)
    this.#decoy = {
      id: 0,
      username: 'nobody',
      password: formatVerifier(fakeVerifier(app.secret('decoy'), 'nobody', DECOY_SHAPE)),
      nickname: 'nobody',
      role: 'user',
      reg_time: 0,
      isActive: 0,
    }
  }

  /** The account of a name, enabled or disabled, synchronously when cached. */
  find(name: string): Account | undefined | Promise<Account | undefined> {
    return this.#cache.named(name)
  }

  /**
   * Reads an account past the cache, with one statement and the same work whether it exists or not: for requests before
   * login, whose timing must not reveal which names exist.
   */
  async read(name: string): Promise<Account | undefined> {
    const lower = name.toLowerCase()
    const rows = await findUsers(this.#db, [name, lower])
    // Adopted databases may hold names with capitals, or a user called system: an existing row takes precedence.
    const row = rows.find(({ username }) => username === name) ?? rows[0]
    const account = toAccount(row ?? this.#decoy)
    if (row !== undefined) return account
    return lower === SYSTEM.name ? SYSTEM : undefined
  }

  /**
   * The account of a name, never the system's. Without `active` also a disabled one: a disabled account must stay within
   * reach of what is done *to* it (kick, demote, block, delete). With `active` only an enabled one: for requests in which
   * the user takes part (write to, invite, befriend).
   * @throws Refused `user_not_exist`
   */
  async require(name: string, { active = false }: { readonly active?: boolean } = {}): Promise<Account> {
    const account = await this.find(name)
    const isFound = account !== SYSTEM && (account?.active || !active)
    return existing(isFound ? account : undefined, name)
  }

  /** Accounts by id; those that are not cached are read with one query. */
  async byIds(ids: Iterable<number>): Promise<Map<number, Account>> {
    const wanted = [...new Set(ids)]
    const found = new Map<number, Account>()
    for (const id of wanted) {
      const account = id === SYSTEM.id ? SYSTEM : this.#cache.byId(id)
      if (account !== undefined) found.set(id, account)
    }
    const missing = wanted.filter((id) => !found.has(id))
    if (missing.length === 0) return found
    const { version } = this.#cache
    for (const row of await findUsersById(this.#db, missing))
      found.set(row.id, this.#cache.put(toAccount(row), version))
    return found
  }

  /** A page of all accounts, by ascending id. */
  async list(afterId: number, limit: number): Promise<Account[]> {
    const { version } = this.#cache
    const rows = await listUsers(this.#db, afterId, limit)
    return rows.map((row) => this.#cache.put(toAccount(row), version))
  }

  /**
   * Checks that an account could be created now, before any work is done for it.
   * @throws Refused `invalid_name`, `username_taken`
   */
  async checkNew(wanted: Names) {
    const { name } = checkNames(wanted)
    if ((await this.read(name)) !== undefined) throw new Refused(FAILURES.username_taken)
  }

  /** @throws Refused `invalid_name`, `username_taken` */
  async create({ role, verifier, ...wanted }: NewAccount): Promise<{ id: number; name: string }> {
    const { name: username, nickname } = checkNames(wanted)
    const identity = { username, password: formatVerifier(verifier), nickname, role }
    const id = await this.#changes.after(() => insertUser(this.#db, identity, this.#app.clock.time()))
    if (id === undefined) throw new Refused(FAILURES.username_taken)
    this.shapes.count(shapeOf(verifier), 1)
    return { id, name: username }
  }

  /** A session has begun as that of the account: it ends with the account's password. */
  sessionBegan(session: UserSession, account: Account) {
    this.#sessionEnds.hasProven(session, account.verifier)
    // Changed since it was read: the change was told before this session was there.
    if (this.#cache.byId(account.id) !== account) this.#sessionEnds.check(account.id)
  }

  /** The verifier with which a session began. */
  verifierOf(session: Session): Verifier | undefined {
    return this.#sessionEnds.verifierOf(session)
  }

  /** Sets new keys and ends the user's sessions, but for the one that has set them. @throws Refused `user_not_exist` */
  async setVerifier(name: string, verifier: Verifier, setBy?: UserSession) {
    const before = setBy && this.verifierOf(setBy)
    // Before the change is told: that ends the sessions with another verifier.
    if (setBy !== undefined) this.#sessionEnds.hasProven(setBy, verifier)
    try {
      const { id, verifier: old } = await this.#change(name, { password: formatVerifier(verifier) })
      if (old !== undefined) this.shapes.count(shapeOf(old), -1)
      this.shapes.count(shapeOf(verifier), 1)
      this.#app.users.closeHere(id, 'logged_out', (session) => session !== setBy)
    } catch (error) {
      if (setBy !== undefined) this.#sessionEnds.hasProven(setBy, before)
      throw error
    }
  }

  /** Enables or disables an account; disabling ends the user's sessions. @throws Refused `user_not_exist` */
  async setActive(name: string, active: boolean) {
    const { id } = await this.#change(name, { isActive: active ? 1 : 0 })
    if (!active) this.#app.users.closeHere(id, 'account_disabled', () => true)
  }

  async #change(name: string, values: Parameters<typeof updateUser>[2]): Promise<Account> {
    const account = await this.require(name)
    await this.#changes.after(() => updateUser(this.#db, account.name, values))
    return account
  }
}
