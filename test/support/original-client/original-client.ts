import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { LocalServer } from '../server.ts'

/**
 * The wire behaviour of the original Python client, written from its measured protocol, without code of the server. As
 * in the original, one read is one frame of at most 4,096 digits; while a dialog is open the client does not read, and the
 * bytes that pile up are one read too. Anything else ends its receive thread, and here fails the test.
 */

const KEY = Buffer.from('jeremyjonejeremy')
const READ = 4096

export interface Heard {
  readonly type: number
  readonly values: readonly string[]
}

/** The first round takes the password, the nine others the digits before. */
export function oldHash(password: string): string {
  return Array.from({ length: 10 }).reduce<string>(
    (text) => createHash('md5').update(`${text}jeremyjone`).digest('hex'),
    password,
  )
}

export function packFrame(type: number, ...texts: readonly string[]): string {
  const values = texts.map((text) => Buffer.from(text))
  const format = values.map((value) => `${value.length}s`).join('')
  const header = Buffer.alloc(12)
  header.writeUInt32BE(type, 0)
  header.writeUInt32BE(format.length, 4)
  header.writeUInt32BE(Buffer.concat(values).length, 8)
  const plain = Buffer.concat([header, Buffer.from(format), ...values])
  return encrypt(Buffer.concat([plain, Buffer.alloc(16 - (plain.length % 16))]))
}

export function encrypt(padded: Buffer): string {
  const cipher = createCipheriv('aes-128-cbc', KEY, KEY).setAutoPadding(false)
  return cipher.update(padded, undefined, 'hex') + cipher.final('hex')
}

/** Decodes as the original does, which strips all trailing zeros. @throws Error where its receive thread ends */
function unpackFrame(read: Buffer): Heard {
  if (read.length > READ) throw new Error(`${read.length} digits in one read`)
  const decipher = createDecipheriv('aes-128-cbc', KEY, KEY).setAutoPadding(false)
  const padded = Buffer.concat([decipher.update(Buffer.from(read.toString(), 'hex')), decipher.final()])
  let end = padded.length
  while (end > 0 && padded[end - 1] === 0) end--
  const plain = padded.subarray(0, end)
  const type = plain.readUInt32BE(0)
  if (type > 200) return { type, values: [] }
  const [formatLength, dataLength] = [plain.readUInt32BE(4), plain.readUInt32BE(8)]
  if (plain.length !== 12 + formatLength + dataLength)
    throw new Error(`${plain.length} bytes instead of one frame of ${12 + formatLength + dataLength}`)
  const format = plain.toString('latin1', 12, 12 + formatLength)
  let at = 12 + formatLength
  const values = [...format.matchAll(/(\d+)s/g)].map(([, size]) => {
    const value = new TextDecoder('utf-8', { fatal: true }).decode(plain.subarray(at, at + Number(size)))
    at += Number(size)
    return value
  })
  if (at !== plain.length) throw new Error(`the format ${format} does not fit the data`)
  if (type === 111 || values.length < (VALUES[type] ?? 0)) throw new Error(`${type} with ${values.length} values`)
  return { type, values }
}

/** Frames that open a dialog, which blocks the client until the user clicks. */
const opensDialog = ({ type, values: [first] }: Heard) =>
  [106, 107, 141, 205].includes(type) || ([114, 124].includes(type) && first !== 'OK')

/** Number of values that the client reads from a frame; with fewer its receive thread ends. */
const VALUES: Readonly<Record<number, number>> = {
  105: 2,
  106: 1,
  107: 2,
  114: 2,
  115: 2,
  121: 3,
  122: 4,
  124: 1,
  141: 1,
}

/** The first frame of these bytes: a read may hold several if this process was delayed. */
function firstFrame(read: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cbc', KEY, KEY).setAutoPadding(false)
  const header = decipher.update(read.subarray(0, 32).toString(), 'hex')
  const plain = 12 + header.readUInt32BE(4) + header.readUInt32BE(8)
  return read.subarray(0, 2 * (plain + 16 - (plain % 16)))
}

export interface OriginalClientOptions {
  /** Takes a read of several frames as several: for tests that load the machine, and are not about the pauses. */
  readonly splits?: boolean
}

export class OriginalClient {
  readonly socket: Socket
  readonly #t: ExecutionContext
  readonly #splits: boolean
  readonly #heard: Heard[] = []
  #wake: () => void = () => {}
  /** Does not read: before the first request for lists, and while a dialog is open. */
  #blocked = false
  #piled = Buffer.alloc(0)
  #raw: ((bytes: Buffer) => void) | undefined
  #name = ''
  #fault: Error | undefined
  closed = false

  constructor(t: ExecutionContext, socket: Socket, { splits = false }: OriginalClientOptions = {}) {
    this.#t = t
    this.#splits = splits
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (read) => this.#read(read))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
    t.teardown(() => socket.destroy())
  }

  send(type: number, ...texts: string[]) {
    this.socket.write(packFrame(type, ...texts))
  }

  /** Returns the four plain bytes of the reply as a number. */
  async register(user: string, password: string, nickname: string): Promise<number> {
    const answer = new Promise<Buffer>((resolve) => {
      this.#raw = resolve
    })
    this.send(2, user, oldHash(password), nickname)
    const bytes = await answer
    this.#t.is(bytes.length, 4)
    const code = bytes.readUInt32BE()
    if (code === 101) this.socket.end()
    return code
  }

  /** Logs in. Returns the nickname, undefined if refused. */
  async login(user: string, password: string): Promise<string | undefined> {
    this.#name = user
    this.send(1, user, oldHash(password))
    const { type, values } = await this.next()
    if (type !== 100) {
      this.socket.end()
      return undefined
    }
    return values[0]
  }

  /** Requests the first lists, after which the client reads. */
  async lists(): Promise<readonly string[]> {
    this.askLists()
    return this.hears(105)
  }

  askLists() {
    this.send(7, this.#name)
    this.#unblock()
  }

  /** The user closes a dialog. */
  click() {
    this.#unblock()
  }

  /** The user answers the friend request of the open dialog. */
  answer(yes: boolean, asker: string) {
    this.send(5, yes ? 'OK' : 'NG', this.#name, asker)
    this.#unblock()
  }

  say(to: string, text: string) {
    this.send(11, '2018年5月10日 8时3分59秒', to, this.#name, `${text}\n`)
  }

  sayTo(room: string, text: string) {
    this.send(12, '2018年5月10日 8时3分59秒', room, this.#name, `${text}\n`)
  }

  async next(): Promise<Heard> {
    for (;;) {
      const heard = this.#heard.shift()
      if (heard !== undefined) return heard
      if (this.#fault !== undefined) throw this.#fault
      if (this.closed) throw new Error('the server closed the connection')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The values of the next frame, which must be of that type. */
  async hears(type: number): Promise<readonly string[]> {
    const heard = await this.next()
    this.#t.is(heard.type, type, JSON.stringify(heard))
    return heard.values
  }

  /** Frames received and not taken yet. */
  get unheard(): readonly Heard[] {
    return this.#heard
  }

  async end(): Promise<void> {
    if (!this.closed) await once(this.socket, 'close')
  }

  #read(read: Buffer) {
    if (this.#raw !== undefined) {
      this.#raw(read)
      return
    }
    if (this.#blocked) {
      this.#piled = Buffer.concat([this.#piled, read])
      return
    }
    if (this.#fault !== undefined) return
    let heard: Heard
    let rest: Buffer = Buffer.alloc(0)
    try {
      const frame = this.#splits ? firstFrame(read) : read
      rest = read.subarray(frame.length)
      heard = unpackFrame(frame)
    } catch (error) {
      this.#fault = new Error(`${this.#name}'s receive thread ends: ${(error as Error).message}`)
      this.#wake()
      return
    }
    const { type, values } = heard
    if (opensDialog(heard) || type === 100) this.#blocked = true
    this.#heard.push(heard)
    this.#wake()
    // On OK the client requests its lists.
    if (type === 124 && values[0] === 'OK') this.askLists()
    if (rest.length > 0) this.#read(rest)
  }

  #unblock() {
    this.#blocked = false
    const piled = this.#piled
    this.#piled = Buffer.alloc(0)
    if (piled.length > 0) this.#read(piled)
  }
}

/** Connects an original client to the server's legacy listener. */
export async function openOriginalClient(
  t: ExecutionContext,
  server: Pick<LocalServer, 'server'>,
): Promise<OriginalClient> {
  const { legacy } = server.server.status() as { legacy?: string }
  return dialOriginalClient(t, legacy ?? '')
}

export async function dialOriginalClient(
  t: ExecutionContext,
  address: string,
  options: OriginalClientOptions = {},
): Promise<OriginalClient> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
  const socket = connect(Number(port), host)
  await once(socket, 'connect')
  return new OriginalClient(t, socket, options)
}
