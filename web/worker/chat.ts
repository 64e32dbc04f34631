import type { Client } from '../../client/client.ts'
import { ClientError } from '../../client/errors.ts'
import type { Identity } from '../../client/types.ts'
import type { Me, Status } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'
import { dial } from './dial.ts'
import { toFailure } from './failure.ts'
import { Session } from './session.ts'
import { loadPin, type Pin, savePin } from './storage.ts'

const STARTING: Status = { phase: 'start', online: false, key: '', pinned: '' }

/** The connection to the server, and the session of the user who is logged in. Views see it as events. */
export class Chat {
  readonly #emit: (event: WorkerEvent) => void
  #status: Status = STARTING
  #pin: Pin | undefined
  #session: Session | undefined

  constructor(emit: (event: WorkerEvent) => void) {
    this.#emit = emit
  }

  /** @throws ClientError `closed` while nobody is logged in */
  get session(): Session {
    if (this.#session === undefined) throw new ClientError('closed', 'nobody is logged in')
    return this.#session
  }

  /** Everything that a new view must know. */
  snapshot(): WorkerEvent[] {
    return [{ type: 'status', status: this.#status }, ...(this.#session?.snapshot() ?? [])]
  }

  /** Asks the server for its key; nobody is logged in yet. */
  async start() {
    this.#set({ ...STARTING, ended: this.#status.ended })
    try {
      this.#pin = await loadPin()
      const client = await this.#dial()
      await client.close()
      this.#set({ phase: 'anonymous' })
    } catch (error) {
      const isOtherKey = error instanceof ClientError && error.code === 'key_changed'
      this.#set({ phase: isOtherKey ? 'key_changed' : 'unreachable', ended: toFailure(error) })
    }
  }

  /** Pins the key that the server shows now; the user has confirmed it. */
  async trustNewKey() {
    if (this.#status.phase !== 'key_changed') return
    await this.#savePin({ key: this.#status.key, proven: false })
    await this.start()
  }

  async register(account: { user: string; password: string; nickname: string }) {
    await this.#begin(async (client) => {
      await client.register(account.user, account.password, { nickname: account.nickname })
      return client.login(account.user, { password: account.password })
    })
  }

  async login({ user, password }: { user: string; password: string }) {
    await this.#begin((client) => client.login(user, { password }))
  }

  async logout() {
    const session = this.#session
    this.#session = undefined
    await session?.close()
    this.#set({ phase: 'anonymous', online: false, me: undefined, ended: undefined })
  }

  async #begin(logIn: (client: Client) => Promise<Identity>) {
    const client = await this.#dial()
    try {
      const { id, user, nickname } = await logIn(client)
      await this.#savePin({ key: client.fingerprint, proven: true })
      await this.#open(client, { id, user, nickname })
    } catch (error) {
      await client.close()
      throw error
    }
  }

  async #open(client: Client, me: Me) {
    const session = new Session(client, me, this.#emit)
    client.onLife('disconnected', () => this.#set({ online: false }))
    client.onLife('reconnected', () => {
      this.#set({ online: true })
      void session.resync()
    })
    client.onLife('closed', (error) => {
      if (this.#session === session) this.#ended(error)
    })
    await session.start()
    this.#session = session
    this.#set({ phase: 'ready', online: true, me, ended: undefined })
    for (const event of session.snapshot()) this.#emit(event)
  }

  /** The session ended for good: kicked, disabled, or another server answers. */
  #ended(error: ClientError) {
    this.#session = undefined
    this.#set({ phase: 'anonymous', online: false, me: undefined, ended: toFailure(error) })
    if (error.code === 'key_changed') void this.start()
  }

  #dial(): Promise<Client> {
    const checkKey = (key: string) => {
      const pinned = this.#pin?.key ?? ''
      this.#set({ key, pinned })
      if (pinned !== '' && pinned !== key)
        throw new ClientError('key_changed', `the server shows the key ${key}, not the pinned ${pinned}`)
      if (pinned === '') void this.#savePin({ key, proven: false })
    }
    return dial({ checkKey, isProven: this.#pin?.proven ?? false })
  }

  async #savePin(pin: Pin) {
    this.#pin = pin
    await savePin(pin)
  }

  #set(change: Partial<Status>) {
    this.#status = { ...this.#status, ...change }
    this.#emit({ type: 'status', status: this.#status })
  }
}
