import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { Acknowledge, OnNewMessage, Receive, SendMessage } from '../../client/index.ts'
import type { Frame } from '../../core/wire/index.ts'
import { AddFriend, ConfirmFriendRequest } from '../../plugins/friends/messages.ts'
import { MessageStored } from '../../plugins/messages/messages.ts'
import { measure, type Period } from './clock.ts'
import { each } from './each.ts'
import { Latency, type Result, type Watcher } from './result.ts'
import { lastIdOf, Template, writeId } from './template.ts'
import { LoadUser } from './user.ts'

export interface PairsOptions extends Period {
  readonly pairs: number
  /** Messages of a sender that are not yet both acknowledged and delivered. */
  readonly window: number
  /** Bytes of text. */
  readonly size: number
}

/** Digits of the time and of the counter in a client id. */
const DIGITS = 9

/** Who writes or listens: over a connection of whatever kind. */
export interface Talker {
  readonly account: { readonly name: string }
  onFrame: (frame: Frame) => boolean
  onLost: (error: Error) => void
  send(bytes: Buffer): void
  end(): void
}

/** Makes a sender and a hearer who may write to each other, the hearer waiting for messages. */
export type MakePair = (index: number, signal: AbortSignal) => Promise<[sender: Talker, hearer: Talker]>

/** Pairs of new accounts on a server, friends of each other. */
export function friendsOn(address: Address): MakePair {
  const run = randomBytes(4).toString('hex')
  return async (index, signal) => {
    const sender = await LoadUser.register(address, `bench-a${index}-${run}`, signal)
    const hearer = await LoadUser.register(address, `bench-b${index}-${run}`, signal)
    await befriend(sender, hearer)
    await hearer.request(Receive, {})
    return [sender, hearer]
  }
}

/**
 * Senders write to a friend each, one message after the other with `window` under way. A message is done when its
 * sender has the server's word that it is stored and its recipient has it; the recipient acknowledges what it gets, once
 * for all that one read brought.
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
  // Everything that was sent is waited for: what is acknowledged is then known exactly.
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
  readonly #sender: Talker
  readonly #hearer: Talker
  readonly #window: number
  readonly #message: Template
  readonly #clock: number
  readonly #counter: number
  readonly #acknowledge: Template
  readonly #began: Float64Array
  #sent = 0
  #stored = 0
  #heard = 0
  #heardUpTo = 0
  #timed = 0
  #acknowledging = false
  #stopping: (() => void) | undefined
  readonly #failed: (error: Error) => void

  constructor([sender, hearer]: [Talker, Talker], { window, size }: PairsOptions, failed: (error: Error) => void) {
    this.#sender = sender
    this.#hearer = hearer
    this.#window = window
    this.#failed = failed
    this.#began = new Float64Array(window)
    // As a client makes them: the time first.
    const counter = '#'.repeat(DIGITS)
    const clientId = `${'~'.repeat(DIGITS)}-${randomBytes(6).toString('hex')}${counter}`
    this.#message = Template.of(SendMessage, { to: hearer.account.name, text: 'x'.repeat(size), clientId })
    this.#clock = this.#message.placeOf('~'.repeat(DIGITS))
    this.#counter = this.#message.placeOf(counter)
    this.#acknowledge = Template.of(Acknowledge, { from: sender.account.name, upTo: 0 })
    sender.onFrame = (frame) => this.#atSender(frame)
    hearer.onFrame = (frame) => this.#atHearer(frame)
    sender.onLost = failed
    hearer.onLost = failed
  }

  /** Messages stored and heard. */
  get done(): number {
    return Math.min(this.#stored, this.#heard)
  }

  start() {
    this.#pump()
  }

  /** Sends no more; resolves when all that was sent is done. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopping = resolve
      this.#pump()
    })
  }

  end() {
    this.#sender.onLost = this.#hearer.onLost = () => {}
    this.#sender.end()
    this.#hearer.end()
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
      bytes.write(time, this.#clock, 'latin1')
      bytes.write(String(this.#sent).padStart(DIGITS, '0'), this.#counter, 'latin1')
      this.#began[this.#sent++ % this.#window] = now
      this.#sender.send(bytes)
    }
  }

  #time(done: number) {
    const { latency } = this
    const now = performance.now()
    // What was done while nothing was recorded has been overwritten since.
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

  #atHearer(frame: Frame): boolean {
    if (frame.type !== OnNewMessage.type) return this.#refused(frame)
    this.#heard += frame.bytes.readUInt32BE(frame.data + 4)
    this.#heardUpTo = lastIdOf(frame)
    if (!this.#acknowledging) {
      this.#acknowledging = true
      // After the whole chunk: one acknowledgement for all of it.
      queueMicrotask(() => {
        this.#acknowledging = false
        const bytes = this.#acknowledge.copy(0)
        writeId(bytes, this.#heardUpTo, this.#acknowledge.lastUint64)
        this.#hearer.send(bytes)
      })
    }
    this.#pump()
    return true
  }

  #refused(frame: Frame): boolean {
    if (frame.type !== 203) return false
    this.#failed(
      new Error(
        `the server refused a message: ${frame.bytes.toString('latin1', frame.data, frame.end).replace(/[^ -~]/g, ' ')}`,
      ),
    )
    return true
  }
}
