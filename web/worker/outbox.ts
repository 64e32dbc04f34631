import type { Client } from '../../client/client.ts'
import { ClientError, RefusedByServer, retryDelay } from '../../client/errors.ts'
import { pause } from '../../client/waiting.ts'
import { newClientId } from '../../core/wire/client-id.ts'
import { fileCaption } from '../../plugins/messages/file-caption.ts'
import { isGroup, type Key, type Me, type Style, type Unsent } from '../shared/model.ts'
import type { NewMessage, WorkerEvent } from '../shared/protocol.ts'
import { toFailure } from './failure.ts'
import { isCaption } from './messages.ts'
import { deleteUnsent, loadUnsent, saveUnsent } from './storage.ts'
import type { Transfers } from './transfers.ts'

/** Time limit of one attempt; the client reconnects within it. */
const ATTEMPT_MS = 60_000

export interface OutboxParts {
  readonly client: Client
  readonly me: Me
  readonly transfers: Transfers
  readonly nameOf: (key: Key) => string
  readonly emit: (event: WorkerEvent) => void
}

/**
 * Messages on their way. Each is in IndexedDB before it is sent, and until the server has stored it: a message survives
 * the end of the browser, and its client id makes the server store it once. A conversation's messages keep their order, but
 * those with files do not hold up the others.
 */
export class Outbox {
  readonly #parts: OutboxParts
  readonly #unsent = new Map<string, Unsent>()
  /** Lanes that are being sent. */
  readonly #busy = new Set<string>()
  readonly #end = new AbortController()

  constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  get unsent(): Unsent[] {
    return [...this.#unsent.values()]
  }

  /** Sends what an earlier session of the user left behind. */
  async start() {
    for (const unsent of await loadUnsent(this.#parts.me.user)) this.#unsent.set(unsent.clientId, unsent)
    this.#show()
    for (const lane of new Set(this.unsent.map(laneOf))) void this.#sendAll(lane)
  }

  /** Resolves when the message is in the outbox. */
  async add({ key, text, style, replyTo, file }: NewMessage) {
    const { me, nameOf } = this.#parts
    const unsent = {
      clientId: newClientId(),
      user: me.user,
      key,
      to: nameOf(key),
      text,
      style,
      replyTo,
      file,
      createdAt: Date.now(),
    }
    await this.#save(unsent)
    void this.#sendAll(laneOf(unsent))
  }

  async retry(clientId: string) {
    const unsent = this.#unsent.get(clientId)
    if (unsent === undefined) return
    await this.#save({ ...unsent, refused: undefined })
    void this.#sendAll(laneOf(unsent))
  }

  async discard(clientId: string) {
    const unsent = this.#unsent.get(clientId)
    if (unsent?.refused !== undefined) await this.#delete(unsent)
  }

  /** Ends the upload of a file; its message is not sent. */
  async cancel(clientId: string) {
    const unsent = this.#unsent.get(clientId)
    if (unsent?.file === undefined) return
    await this.#delete(unsent)
    await this.#parts.transfers.cancelUpload(clientId, unsent.file)
  }

  /** The user logs out; what is left is sent after the next login. */
  stop() {
    this.#end.abort()
  }

  async #sendAll(lane: string) {
    if (this.#busy.has(lane)) return
    this.#busy.add(lane)
    for (;;) {
      const next = this.unsent.find((unsent) => laneOf(unsent) === lane && unsent.refused === undefined)
      if (next === undefined || !(await this.#send(next))) break
    }
    this.#busy.delete(lane)
  }

  /** @returns false when the session has ended */
  async #send(unsent: Unsent): Promise<boolean> {
    for (let refusals = 0; ; ) {
      try {
        await this.#attempt(unsent)
        return true
      } catch (error) {
        // Cancelled.
        if (!this.#unsent.has(unsent.clientId)) return true
        if (this.#end.signal.aborted || (error instanceof ClientError && error.code === 'closed')) return false
        if (error instanceof ClientError && ['timed_out', 'lost'].includes(error.code)) continue
        const ms = error instanceof RefusedByServer ? retryDelay(error, refusals++) : undefined
        if (ms !== undefined) await pause(ms, this.#end.signal)
        else {
          await this.#save({ ...unsent, refused: toFailure(error) })
          return true
        }
      }
    }
  }

  async #attempt(unsent: Unsent) {
    const { client, me, transfers, emit } = this.#parts
    const { clientId, key, to, style, replyTo = 0 } = unsent
    const { signal } = this.#end
    const file = unsent.file && (await transfers.upload(clientId, unsent.file, signal))
    const text = unsent.text || (file === undefined ? '' : fileCaption(file))
    const target = isGroup(key) ? { group: to } : to
    const options = { clientId, style: given(style), replyTo, file: file?.id ?? 0, timeout: ATTEMPT_MS, signal }
    const { id, sentAt } = await client.send(target, text, options)
    this.#unsent.delete(clientId)
    const message = { id, key, kind: 'chat', from: me.user, text, sentAt: sentAt.getTime(), mine: true }
    emit({
      type: 'sent',
      clientId,
      message: {
        ...message,
        unread: !isGroup(key),
        bot: false,
        style,
        replyTo: unsent.replyTo,
        file,
        isCaption: isCaption(text, file),
      },
    })
    await deleteUnsent(unsent)
  }

  async #save(unsent: Unsent) {
    await saveUnsent(unsent)
    this.#unsent.set(unsent.clientId, unsent)
    this.#show()
  }

  async #delete(unsent: Unsent) {
    await deleteUnsent(unsent)
    this.#unsent.delete(unsent.clientId)
    this.#show()
  }

  #show() {
    this.#parts.emit({ type: 'unsent', unsent: this.unsent })
  }
}

/** Messages that are sent one after the other: those of a conversation without files, and those with files. */
const laneOf = ({ key, file }: Unsent) => (file === undefined ? key : `${key} file`)

function given({ font, fontSize, color }: Style) {
  return { ...(font && { font }), ...(fontSize && { fontSize }), ...(color && { color }) }
}
