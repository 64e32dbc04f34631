import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { type Address, Channel } from '../../client/channel.ts'
import { BUILT_IN_MESSAGES, Catalogue, type InputOf, Login, LoginProof } from '../../client/index.ts'
import { Requests } from '../../client/requests.ts'
import { type ClientKeys, startLogin, storedKey } from '../../core/scram/index.ts'
import type { ClientMessage, Frame, ReplyOf } from '../../core/wire/index.ts'
import { NewSalt, Register } from '../../plugins/registration/messages.ts'

/** Account with random keys in place of a password, so that registration and login need no key derivation. */
export interface Account {
  readonly name: string
  readonly keys: ClientKeys
}

const catalogue = new Catalogue(BUILT_IN_MESSAGES)

/** A connection with as little client-side cost as possible. `signal` is that of the run, and ends all its connections. */
export class LoadUser {
  readonly account: Account
  readonly #channel: Channel
  readonly #requests: Requests
  readonly #signal: AbortSignal
  /** Called first for every frame; returns true for frames that it has handled. */
  onFrame: (frame: Frame) => boolean = () => false
  /** Called when the connection is lost. */
  onLost: (error: Error) => void = () => {}

  private constructor(account: Account, channel: Channel, requests: Requests, signal: AbortSignal) {
    this.account = account
    this.#channel = channel
    this.#requests = requests
    this.#signal = signal
  }

  /** Connects without logging in. @throws ClientError */
  static async connect(address: Address, account: Account, signal: AbortSignal): Promise<LoadUser> {
    // One listener per connection and per request in flight.
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

  /** Registers an account and logs in. @throws ClientError */
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

  /** Queues an encoded message. */
  send(bytes: Buffer) {
    this.#channel.send(bytes)
  }

  end() {
    this.#channel.end()
  }
}
