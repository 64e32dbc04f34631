import type { Client } from '../../client/client.ts'
import { ClientError, RefusedByServer } from '../../client/errors.ts'
import type { Identity } from '../../client/types.ts'
import { pause } from '../../client/waiting.ts'
import type { CallFailure, Me, Status } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'
import { credentialsOf, enrol } from './device.ts'
import { dial } from './dial.ts'
import { toFailure } from './failure.ts'
import { Session } from './session.ts'
import { deleteDevice, loadDevice, loadPin, type Pin, type StoredDevice, savePin } from './storage.ts'

/** Pauses between attempts to reach the server at the start: the first one, doubled each time, and the longest. */
const [FIRST_PAUSE_MS, MAX_PAUSE_MS] = [1000, 30_000]

const STARTING: Status = { phase: 'start', online: false, key: '', pinned: '', ended: undefined }

/** The connection to the server, and the session of the user who is logged in. Views see it as events. */
export class Chat {
  readonly #emit: (event: WorkerEvent) => void
  #status: Status = STARTING
  #pin: Pin | undefined
  #session: Session | undefined
  /** Why the last session ended, shown at the next login. */
  #lastEnd: CallFailure | undefined
  #starting: Promise<void> | undefined
  /** Ends the pause before the next attempt. */
  #wake = new AbortController()

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

  /**
   * Logs in with the key of this browser, if it has one; otherwise asks the server for its key. Goes on until the server
   * answers; a further call makes the next attempt at once.
   */
  start() {
    this.#set(STARTING)
    this.#wake.abort()
    if (this.#starting !== undefined) return
    this.#starting = this.#reach().finally(() => {
      this.#starting = undefined
    })
  }

  async #reach() {
    for (let ms = FIRST_PAUSE_MS; !(await this.#tryStart()); ms = Math.min(2 * ms, MAX_PAUSE_MS)) {
      this.#wake = new AbortController()
      await pause(Math.max(ms, this.#status.ended?.retryAfter ?? 0), this.#wake.signal)
    }
  }

  /** @returns false if another attempt may succeed */
  async #tryStart(): Promise<boolean> {
    try {
      this.#pin = await loadPin()
      const device = await loadDevice()
      if (device !== undefined && (await this.#logInWith(device))) return true
      const client = await this.#dial()
      await client.close()
      this.#set({ phase: 'anonymous', ended: this.#lastEnd })
      return true
    } catch (error) {
      const isOtherKey = error instanceof ClientError && error.code === 'key_changed'
      this.#set({ phase: isOtherKey ? 'key_changed' : 'unreachable', ended: toFailure(error) })
      return isOtherKey
    }
  }

  /** @returns false if the device was revoked */
  async #logInWith(device: StoredDevice): Promise<boolean> {
    const client = await this.#dial()
    try {
      await this.#open(client, await client.loginWithDevice(credentialsOf(device)))
      return true
    } catch (error) {
      await client.close()
      if (!(error instanceof RefusedByServer && error.failure === 'login_failed')) throw error
      await deleteDevice()
      return false
    }
  }

  /** Pins the key that the server shows now; the user has confirmed it. */
  async trustNewKey() {
    if (this.#status.phase !== 'key_changed') return
    await this.#savePin({ key: this.#status.key, proven: false })
    this.start()
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

  /** Takes the login from this browser. */
  async logout() {
    const session = this.#session
    const device = await loadDevice()
    this.#session = undefined
    await deleteDevice()
    if (device !== undefined && this.#status.online) await session?.revoke(device.device)
    await session?.close()
    this.#set({ phase: 'anonymous', online: false, me: undefined, ended: undefined })
  }

  /** The server revokes all devices, and ends the other sessions of the user. */
  async changePassword({ old, new: next }: { old: string; new: string }) {
    const { client, me } = this.session
    await client.changePassword(old, next)
    await enrol(client, me.user)
  }

  async #begin(logIn: (client: Client) => Promise<Identity>) {
    const client = await this.#dial()
    try {
      const identity = await logIn(client)
      await this.#savePin({ key: client.fingerprint, proven: true })
      const device = await enrol(client, identity.user)
      // The session of the device, which ends when the device is revoked.
      if (device !== undefined && (await this.#logInWith(device))) await client.close()
      else await this.#open(client, identity)
    } catch (error) {
      await client.close()
      throw error
    }
  }

  async #open(client: Client, { id, user, nickname }: Identity) {
    const me: Me = { id, user, nickname }
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
    this.#lastEnd = undefined
    this.#set({ phase: 'ready', online: true, me, ended: undefined })
    for (const event of session.snapshot()) this.#emit(event)
  }

  /** The session ended for good: kicked, disabled, or another server answers. */
  #ended(error: ClientError) {
    if (error instanceof RefusedByServer && error.failure === 'logged_out') void deleteDevice()
    this.#session = undefined
    this.#lastEnd = toFailure(error)
    this.#set({ phase: 'anonymous', online: false, me: undefined, ended: this.#lastEnd })
    if (error.code === 'key_changed') this.start()
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
