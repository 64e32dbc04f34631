import type { CallRequest, FromWorker, WorkerEvent } from '../shared/protocol.ts'
import { calls } from './calls.ts'
import type { Chat } from './chat.ts'
import { toFailure } from './failure.ts'

/** Connects views to the chat: answers their calls, and pushes every event to each of them. */
export class Hub {
  readonly #ports = new Set<MessagePort>()
  readonly #chat: Chat

  constructor(createChat: (emit: (event: WorkerEvent) => void) => Chat) {
    this.#chat = createChat((event) => this.#broadcast({ event }))
    this.#chat.start()
  }

  attach(port: MessagePort) {
    this.#ports.add(port)
    port.onmessage = ({ data }: MessageEvent<CallRequest | 'bye'>) => {
      if (data === 'bye') this.#ports.delete(port)
      else void this.#answer(port, data)
    }
    for (const event of this.#chat.snapshot()) port.postMessage({ event } satisfies FromWorker)
  }

  async #answer(port: MessagePort, { ref, name, argument }: CallRequest) {
    let reply: FromWorker
    try {
      reply = { ref, result: await calls[name](this.#chat, argument as never) }
    } catch (error) {
      reply = { ref, failure: toFailure(error) }
    }
    port.postMessage(reply)
  }

  #broadcast(message: FromWorker) {
    for (const port of this.#ports) port.postMessage(message)
  }
}
