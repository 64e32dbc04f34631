import type { ExecutionContext } from 'ava'
import { type Client, type ConnectOptions, connect, type LoginKeys } from '../../client/index.ts'

/** Fewer PBKDF2 iterations than a real server: tests log in often. */
export const ITERATIONS = 4096

/** A server that a test talks to over its sockets. */
export interface ServerHandle {
  /** Folder of its database, keys and logs. */
  readonly data: string
  readonly host: string
  readonly port: number
  /** `HOST:PORT` */
  readonly address: string
  /** Path of its control socket. */
  readonly control: string
  /** Connects without logging in. Clients do not reconnect unless told to, and close when the test ends. */
  connect(options?: Partial<ConnectOptions>): Promise<Client>
  /** Connects to the control socket. */
  operator(options?: Partial<ConnectOptions>): Promise<Client>
  /** Logs in as a user (password `NAME's password`), who is registered at the first call. */
  user(name: string, options?: Partial<ConnectOptions>): Promise<Client>
}

/** Opens clients of one server, which may move to another address. */
export class Clients {
  readonly #where: () => Pick<ServerHandle, 'address' | 'control'>
  readonly #defaults: Partial<ConnectOptions>
  readonly #keys = new Map<string, LoginKeys>()
  /** Open ones only: an endurance test may open a hundred thousand. */
  readonly #open = new Set<Client>()

  constructor(
    t: ExecutionContext,
    where: () => Pick<ServerHandle, 'address' | 'control'>,
    defaults: Partial<ConnectOptions> = {},
  ) {
    this.#where = where
    this.#defaults = { reconnect: false, leastIterations: ITERATIONS, ...defaults }
    t.teardown(() => Promise.all([...this.#open].map((client) => client.close())))
  }

  readonly connect = async (options: Partial<ConnectOptions> = {}): Promise<Client> => {
    const client = await connect({ server: this.#where().address, ...this.#defaults, ...options })
    this.#open.add(client)
    client.onLife('closed', () => this.#open.delete(client))
    return client
  }

  readonly operator = (options: Partial<ConnectOptions> = {}): Promise<Client> =>
    this.connect({ server: { path: this.#where().control }, ...options })

  readonly user = async (name: string, options?: Partial<ConnectOptions>): Promise<Client> => {
    const client = await this.connect(options)
    const keys = this.#keys.get(name)
    if (keys !== undefined) {
      await client.login(name, { keys })
      return client
    }
    const password = `${name}'s password`
    await client.register(name, password).catch((error) => {
      if (error.failure !== 'username_taken') throw error
    })
    await client.login(name, { password })
    // No key derivation at the next login.
    if (client.keys !== undefined) this.#keys.set(name, client.keys)
    return client
  }
}
