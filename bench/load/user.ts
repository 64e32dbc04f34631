import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { type Address, Channel } from '../../client/channel.ts'
import { BUILT_IN_MESSAGES, Catalogue, type InputOf, Login, LoginProof } from '../../client/index.ts'
import { Requests } from '../../client/requests.ts'
import { type ClientKeys, startLogin, storedKey } from '../../core/scram/index.ts'
import type { ClientMessage, Frame, ReplyOf } from '../../core/wire/index.ts'
import { NewSalt, Register } from '../../plugins/registration/messages.ts'

/**
 * Who puts load on a server: an account whose keys are random and kept, so that neither making it nor logging in costs
 * this side a derivation. Good only for as long as the process lives.
 */
export interface Account {
  readonly name: string
  readonly keys: ClientKeys
}

const catalogue = new Catalogue(BUILT_IN_MESSAGES)

/**
 * A connection that costs as little as one can: what is measured is the server. Nothing here is given up alone: the
 * signal is that of the run, and ends every connection of it.
 */
export class LoadUser {
  readonly account: Account
  readonly #channel: Channel
  readonly #requests: Requests
  readonly #signal: AbortSignal
  /** Sees every frame first; true for those that it has dealt with. */
  onFrame: (frame: Frame) => boolean = () => false
  /** Told when the connection is lost. */
  onLost: (error: Error) => void = () => {}

  private constructor(account: Account, channel: Channel, requests: Requests, signal: AbortSignal) {
    this.account = account
    this.#channel = channel
    this.#requests = requests
    this.#signal = signal
  }

  /** Connects without logging in. @throws ClientError */
  static async connect(address: Address, account: Account, signal: AbortSignal): Promise<LoadUser> {
    // One listener for every connection and every request under way.
    setMaxListeners(0, signal)
    const requests = new Requests(
      catalogue,
      (bytes) => channel.send(bytes),
      () => {},
    )
    let user: LoadUser | undefined
    const channel: Channel = await Channel.open({
      address,
      checkKey: () => {},
      signal,
      onFrame: (frame) => {
        if (user === undefined || !user.onFrame(frame)) requests.receive(frame)
      },
      onClose: (error) => {
        signal.removeEventListener('abort', abort)
        requests.fail(error)
        user?.onLost(error)
      },
    })
    const abort = () => channel.destroy()
    signal.addEventListener('abort', abort, { once: true })
    user = new LoadUser(account, channel, requests, signal)
    return user
  }

  /** Connects and logs in. @throws ClientError */
  static async login(address: Address, account: Account, signal: AbortSignal): Promise<LoadUser> {
    const user = await LoadUser.connect(address, account, signal)
    await user.login()
    return user
  }

  /** Makes an account of that name and logs in to it. @throws ClientError */
  static async register(address: Address, name: string, signal: AbortSignal): Promise<LoadUser> {
    const keys = { clientKey: randomBytes(32), serverKey: randomBytes(32) }
    const user = await LoadUser.connect(address, { name, keys }, signal)
    await user.request(NewSalt, { clientSalt: randomBytes(16) })
    await user.request(Register, { user: name, storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey })
    await user.login()
    return user
  }

  async login() {
    const { name, keys } = this.account
    const exchange = startLogin(name)
    const { serverFirst } = await this.request(Login, { clientFirst: exchange.clientFirst })
    const answer = await exchange.answer(serverFirst, this.#channel.handshakeHash, () => keys)
    const { serverFinal } = await this.request(LoginProof, { clientFinal: answer.clientFinal })
    answer.verifyServerFinal(serverFinal)
  }

  /** @throws ClientError */
  request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    return this.#requests.request(message, values, { signal: this.#signal })
  }

  /** Queues bytes that are encoded already. */
  send(bytes: Buffer) {
    this.#channel.send(bytes)
  }

  end() {
    this.#channel.end()
  }
}
