import { once, setMaxListeners } from 'node:events'
import { connect, type Socket } from 'node:net'
import { CipherState, Outbox, openRecord, RecordSplitter } from '../core/noise/index.ts'
import { type Frame, MessageSplitter } from '../core/wire/index.ts'
import type { MakePair, PairMember } from './load/pairs.ts'

/** Fixed key of both ends: the cost of encryption is measured, not its security. */
export const CEILING_KEY = Buffer.alloc(32, 7)

const LIMITS = { message: 1024 * 1024, format: 64 * 1024, values: 32 * 1024 }

/** A connection to the ceiling's server, which numbers connections in order of arrival; 2n and 2n + 1 are a pair. */
export class CeilingUser implements PairMember {
  readonly account: { readonly name: string }
  onFrame: (frame: Frame) => boolean = () => false
  onLost: (error: Error) => void = () => {}
  readonly #socket: Socket
  readonly #outbox: Outbox

  private constructor(name: string, socket: Socket) {
    this.account = { name }
    this.#socket = socket
    this.#outbox = new Outbox(socket, new CipherState(CEILING_KEY))
    const receive = new CipherState(CEILING_KEY)
    const records = new RecordSplitter()
    const messages = new MessageSplitter(LIMITS)
    socket.on('error', (error: Error) => this.onLost(error))
    socket.on('data', (chunk: Buffer) => {
      for (const record of records.push(chunk))
        for (const frame of messages.push(openRecord(receive, record))) this.onFrame(frame)
    })
  }

  static async connect(port: number, name: string, signal: AbortSignal): Promise<CeilingUser> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect', { signal })
    const abort = () => socket.destroy()
    setMaxListeners(0, signal)
    signal.addEventListener('abort', abort, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', abort))
    return new CeilingUser(name, socket)
  }

  send(bytes: Buffer) {
    this.#outbox.push(bytes)
  }

  end() {
    this.#socket.destroy()
  }
}

/** Connects pairs to the ceiling's server serially: it recognises them by their order. */
export function ceilingPairs(port: number): MakePair {
  let last: Promise<unknown> = Promise.resolve()
  return (index, signal) => {
    const pair = last.then(async (): Promise<[CeilingUser, CeilingUser]> => {
      const sender = await CeilingUser.connect(port, `a${index}`, signal)
      return [sender, await CeilingUser.connect(port, `b${index}`, signal)]
    })
    last = pair
    return pair
  }
}
