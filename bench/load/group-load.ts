import { randomBytes } from 'node:crypto'
import { OnNewMessage } from '../../client/index.ts'
import { type Frame, GeneralFailure } from '../../core/wire/index.ts'
import { AcknowledgeRoom, ChatroomMessage } from '../../plugins/groups/messages.ts'
import { MessageStored } from '../../plugins/messages/messages.ts'
import { Latency } from './result.ts'
import { lastIdOf, Template, writeId } from './template.ts'
import type { LoadUser } from './user.ts'

export interface GroupLoadOptions {
  readonly group: string
  /** Part of the client ids, unique to the run. */
  readonly run: string
  /** Members who send. */
  readonly posters: number
  /** Messages in flight per poster. */
  readonly window: number
  /** Bytes of text. */
  readonly size: number
  readonly onFailure: (error: Error) => void
}

/** Digits of the poster's number in a text. */
const POSTER_DIGITS = 3
/** Digits of the counter in a text and in a client id. */
const COUNTER_DIGITS = 8
const KEY_BYTES = POSTER_DIGITS + COUNTER_DIGITS

/** Closed-loop load in one group: posters send, every member receives and acknowledges. */
export class GroupLoad {
  readonly latency = new Latency()
  isRecording = false
  deliveries = 0
  stored = 0
  readonly #members: number
  readonly #onFailure: (error: Error) => void
  readonly #posters: Poster[]
  readonly #acknowledge: Template
  /** Precedes the key in a text. Long enough to occur in texts only: a short one would be part of some id or time. */
  readonly #mark = Buffer.from(`<${randomBytes(5).toString('hex')}>`)
  /** Missing deliveries and time of sending, by poster and counter of the message. */
  readonly #undelivered = new Map<string, { left: number; readonly began: number }>()
  #posted = 0
  #stopped: (() => void) | undefined

  constructor(users: readonly LoadUser[], options: GroupLoadOptions) {
    this.#members = users.length
    this.#onFailure = options.onFailure
    this.#acknowledge = Template.of(AcknowledgeRoom, { group: options.group, upTo: 0 })
    this.#posters = users
      .slice(0, options.posters)
      .map((user, index) => new Poster(user, index, this.#mark.toString(), options))
    for (const user of users) this.#receiveAs(user)
  }

  start() {
    for (const poster of this.#posters) this.#pump(poster)
  }

  /** Stops sending; resolves when everything sent is stored and delivered, so that `stored` is exact. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = resolve
      this.#checkDone()
    })
  }

  #pump(poster: Poster) {
    while (poster.hasRoom && this.#stopped === undefined) {
      this.#posted++
      this.#undelivered.set(poster.nextKey(), { left: this.#members - 1, began: performance.now() })
      poster.send()
    }
  }

  #receiveAs(user: LoadUser) {
    let upTo = 0
    let isAcknowledging = false
    user.onLost = this.#onFailure
    user.onFrame = (frame) => {
      if (frame.type === MessageStored.type) {
        this.stored++
        this.#checkDone()
        return true
      }
      if (frame.type === GeneralFailure.type) this.#onFailure(new Error('the server refused a message'))
      if (frame.type !== OnNewMessage.type) return false
      this.#received(frame)
      upTo = lastIdOf(frame)
      if (isAcknowledging) return true
      isAcknowledging = true
      // After the whole chunk: one acknowledgement for all its messages.
      queueMicrotask(() => {
        isAcknowledging = false
        const bytes = this.#acknowledge.copy(0)
        writeId(bytes, upTo, this.#acknowledge.lastUint64)
        user.send(bytes)
      })
      return true
    }
  }

  #received({ bytes, data, end }: Frame) {
    const mark = this.#mark
    for (let at = bytes.indexOf(mark, data); at >= 0 && at < end; at = bytes.indexOf(mark, at + KEY_BYTES)) {
      const key = bytes.toString('latin1', at + mark.length, at + mark.length + KEY_BYTES)
      this.deliveries++
      const message = this.#undelivered.get(key)
      if (message === undefined || --message.left > 0) continue
      this.#undelivered.delete(key)
      if (this.isRecording) this.latency.add(performance.now() - message.began)
      const poster = this.#posters[Number(key.slice(0, POSTER_DIGITS))]
      if (poster !== undefined) {
        poster.delivered()
        this.#pump(poster)
      }
      this.#checkDone()
    }
  }

  #checkDone() {
    if (this.#undelivered.size === 0 && this.stored === this.#posted) this.#stopped?.()
  }
}

/** Encodes and sends the numbered messages of one member. */
class Poster {
  readonly #user: LoadUser
  readonly #window: number
  readonly #name: string
  readonly #template: Template
  /** Offsets of the counter in the message: in its text and in its client id. */
  readonly #counterAt: readonly [text: number, clientId: number]
  #sent = 0
  #inFlight = 0

  constructor(user: LoadUser, index: number, mark: string, { group, run, window, size }: GroupLoadOptions) {
    this.#user = user
    this.#window = window
    this.#name = String(index).padStart(POSTER_DIGITS, '0')
    const zeros = '0'.repeat(COUNTER_DIGITS)
    const text = `${mark}${this.#name}${zeros}`
    const idPrefix = `${run}-${index}-`
    this.#template = Template.of(ChatroomMessage, {
      group,
      text: text.padEnd(size, 'x'),
      clientId: idPrefix + zeros,
    })
    this.#counterAt = [
      this.#template.offsetOf(text) + mark.length + POSTER_DIGITS,
      this.#template.offsetOf(idPrefix) + idPrefix.length,
    ]
  }

  get hasRoom(): boolean {
    return this.#inFlight < this.#window
  }

  /** Key of the next message: poster and counter. */
  nextKey(): string {
    return `${this.#name}${counterText(this.#sent + 1)}`
  }

  send() {
    const bytes = this.#template.copy(++this.#sent)
    const counter = counterText(this.#sent)
    for (const at of this.#counterAt) bytes.write(counter, at, 'latin1')
    this.#inFlight++
    this.#user.send(bytes)
  }

  delivered() {
    this.#inFlight--
  }
}

const counterText = (counter: number) => String(counter).padStart(COUNTER_DIGITS, '0')
