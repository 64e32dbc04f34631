import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { Acknowledge, OnNewMessage, Receive, SendMessage } from '../../client/index.ts'
import { type Frame, GeneralFailure } from '../../core/wire/index.ts'
import { AddFriend, ConfirmFriendRequest } from '../../plugins/friends/messages.ts'
import { MessageStored } from '../../plugins/messages/messages.ts'
import { measure, type Period } from './clock.ts'
import { each } from './each.ts'
import { Latency, type Result, type Watcher } from './result.ts'
import { lastIdOf, Template, writeId } from './template.ts'
import { LoadUser } from './user.ts'

export interface PairsOptions extends Period {
  readonly pairs: number
  /** Messages in flight per sender: sent, and not yet both acknowledged and delivered. */
  readonly window: number
  /** Bytes of text. */
  readonly size: number
}

/** Digits of the time and of the counter in a client id. */
const DIGITS = 9

/** Sender or recipient of a pair, over any kind of connection. */
export interface PairMember {
  readonly account: { readonly name: string }
  onFrame: (frame: Frame) => boolean
  onLost: (error: Error) => void
  send(bytes: Buffer): void
  end(): void
}

/** Makes a pair whose sender may write to the recipient; the recipient receives messages already. */
export type MakePair = (index: number, signal: AbortSignal) => Promise<[sender: PairMember, recipient: PairMember]>

/**
 * Makes pairs of new accounts on a server, friends of each other.
 * @param elsewhere where the recipients log in; default the same address
 */
export function friendsOn(address: Address, elsewhere?: Address): MakePair {
  const run = randomBytes(4).toString('hex')
  return async (index, signal) => {
    const sender = await LoadUser.register(address, `bench-a${index}-${run}`, signal)
    let recipient = await LoadUser.register(address, `bench-b${index}-${run}`, signal)
    await befriend(sender, recipient)
    if (elsewhere !== undefined) {
      recipient.end()
      recipient = await LoadUser.login(elsewhere, recipient.account, signal)
    }
    await recipient.request(Receive, {})
    return [sender, recipient]
  }
}

/**
 * Each sender writes to one friend, with `window` messages in flight. A message is done when its sender has the reply that
 * it is stored and its recipient has received it. Recipients acknowledge once per read from the socket.
 */
export async function pairs(
  make: MakePair,
  options: PairsOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const all: Pair[] = []
  let failed: (error: Error) => void = () => {}
  const failure = new Promise<never>((_, reject) => {
    failed = reject
  })
  failure.catch(() => {})
  await each(
    Array.from({ length: options.pairs }),
    async (_, index) => {
      all.push(new Pair(await make(index, signal), options, failed))
    },
    (done) => watcher.progress('making pairs', done / options.pairs),
  )
  for (const pair of all) pair.start()
  const latency = new Latency()
  const running = {
    count: () => all.reduce((sum, pair) => sum + pair.done, 0),
    record: (on: boolean) => {
      for (const pair of all) pair.latency = on ? latency : undefined
    },
  }
  const { count, seconds } = await Promise.race([measure(options, running, watcher, signal), failure])
  // Waits until everything sent is done, so that the number of acknowledged messages is exact.
  await Promise.race([Promise.all(all.map((pair) => pair.stop())), failure])
  for (const pair of all) pair.end()
  return {
    workload: 'pairs',
    shape: `${options.pairs} pairs, window ${options.window}, ${options.size} B`,
    unit: 'messages',
    count,
    seconds,
    perSecond: count / seconds,
    ...latency.result,
    acknowledged: running.count(),
  }
}

async function befriend(one: LoadUser, other: LoadUser) {
  await one.request(AddFriend, { user: other.account.name })
  await other.request(ConfirmFriendRequest, { user: one.account.name, accept: true })
}

class Pair {
  latency: Latency | undefined
  readonly #sender: PairMember
  readonly #recipient: PairMember
  readonly #window: number
  readonly #message: Template
  /** Offset of the time in the message. */
  readonly #timeAt: number
  /** Offset of the counter in the message. */
  readonly #counterAt: number
  readonly #acknowledge: Template
  /** Times of sending of the last `window` messages. */
  readonly #began: Float64Array
  #sent = 0
  #stored = 0
  #received = 0
  #receivedUpTo = 0
  #timed = 0
  #acknowledging = false
  #stopping: (() => void) | undefined
  readonly #failed: (error: Error) => void

  constructor(
    [sender, recipient]: [PairMember, PairMember],
    { window, size }: PairsOptions,
    failed: (error: Error) => void,
  ) {
    this.#sender = sender
    this.#recipient = recipient
    this.#window = window
    this.#failed = failed
    this.#began = new Float64Array(window)
    // In the form of the client library: the time first.
    const counter = '#'.repeat(DIGITS)
    const clientId = `${'~'.repeat(DIGITS)}-${randomBytes(6).toString('hex')}${counter}`
    this.#message = Template.of(SendMessage, { to: recipient.account.name, text: 'x'.repeat(size), clientId })
    this.#timeAt = this.#message.offsetOf('~'.repeat(DIGITS))
    this.#counterAt = this.#message.offsetOf(counter)
    this.#acknowledge = Template.of(Acknowledge, { from: sender.account.name, upTo: 0 })
    sender.onFrame = (frame) => this.#atSender(frame)
    recipient.onFrame = (frame) => this.#atRecipient(frame)
    sender.onLost = failed
    recipient.onLost = failed
  }

  /** Messages stored and received. */
  get done(): number {
    return Math.min(this.#stored, this.#received)
  }

  start() {
    this.#pump()
  }

  /** Stops sending; resolves when everything sent is done. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopping = resolve
      this.#pump()
    })
  }

  end() {
    this.#sender.onLost = this.#recipient.onLost = () => {}
    this.#sender.end()
    this.#recipient.end()
  }

  #pump() {
    const { done } = this
    if (this.latency !== undefined || this.#timed > 0) this.#time(done)
    if (this.#stopping !== undefined) {
      if (done === this.#sent) this.#stopping()
      return
    }
    const now = performance.now()
    const time = Date.now().toString(36).padStart(DIGITS, '0')
    while (this.#sent - done < this.#window) {
      const bytes = this.#message.copy(this.#sent + 1)
      bytes.write(time, this.#timeAt, 'latin1')
      bytes.write(String(this.#sent).padStart(DIGITS, '0'), this.#counterAt, 'latin1')
      this.#began[this.#sent++ % this.#window] = now
      this.#sender.send(bytes)
    }
  }

  #time(done: number) {
    const { latency } = this
    const now = performance.now()
    // Older times, from before the recording, have been overwritten.
    for (let n = Math.max(this.#timed, this.#sent - this.#window); n < done && latency !== undefined; n++)
      latency.add(now - (this.#began[n % this.#window] as number))
    this.#timed = done
  }

  #atSender(frame: Frame): boolean {
    if (frame.type !== MessageStored.type) return this.#refused(frame)
    this.#stored++
    this.#pump()
    return true
  }

  #atRecipient(frame: Frame): boolean {
    if (frame.type !== OnNewMessage.type) return this.#refused(frame)
    this.#received += frame.bytes.readUInt32BE(frame.data + 4)
    this.#receivedUpTo = lastIdOf(frame)
    if (!this.#acknowledging) {
      this.#acknowledging = true
      // After the whole chunk: one acknowledgement for all its messages.
      queueMicrotask(() => {
        this.#acknowledging = false
        const bytes = this.#acknowledge.copy(0)
        writeId(bytes, this.#receivedUpTo, this.#acknowledge.lastUint64)
        this.#recipient.send(bytes)
      })
    }
    this.#pump()
    return true
  }

  #refused(frame: Frame): boolean {
    if (frame.type !== GeneralFailure.type) return false
    this.#failed(
      new Error(
        `the server refused a message: ${frame.bytes.toString('latin1', frame.data, frame.end).replace(/[^ -~]/g, ' ')}`,
      ),
    )
    return true
  }
}
