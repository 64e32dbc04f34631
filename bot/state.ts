import { open, readFile, rename } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import type { Client, KeptState } from '../client/index.ts'

export interface StateOptions<State> {
  /** State of a chat that has none stored. Must survive `JSON.stringify`. */
  initial(): State
  /**
   * Storage. `server`: with the bot's consumer, at most 16,384 bytes per chat. `file`: one local file for all chats.
   * `memory`: lost at a restart.
   */
  readonly in: 'server' | 'memory' | { readonly file: string }
}

/** Stores the states of chats as JSON; each run of a handler parses its own copy. `event` is the key of a `Work`. */
export interface StateStore {
  /** The state before the event, also when the event is delivered again. */
  load(chat: string, event: string): Promise<string | undefined>
  /** Stores the state after the event. The result must be sent with the event's acknowledgement. */
  save(chat: string, event: string, state: string): Promise<KeptState | undefined>
}

export async function openState(
  where: StateOptions<unknown>['in'],
  { client, consumer }: { client: Client; consumer: string },
): Promise<StateStore> {
  if (where === 'memory') return new MemoryState()
  if (where === 'server') return new ServerState(client, consumer)
  return FileState.open(where.file)
}

class MemoryState implements StateStore {
  readonly #states = new Map<string, string>()

  async load(chat: string) {
    return this.#states.get(chat)
  }

  async save(chat: string, _event: string, state: string) {
    this.#states.set(chat, state)
    return undefined
  }
}

/** Chats whose state is cached; no other process writes it. */
const CACHE_ENTRIES = 1000
/** Longest state on the wire. */
export const MAX_STATE_BYTES = 16_384

/** Stored in the transaction of the acknowledgement, so a redelivered event finds the state before it. */
class ServerState implements StateStore {
  readonly #client: Client
  readonly #consumer: string
  readonly #cache = new LRUCache<string, string>({ max: CACHE_ENTRIES })

  constructor(client: Client, consumer: string) {
    this.#client = client
    this.#consumer = consumer
  }

  async load(chat: string) {
    let state = this.#cache.get(chat)
    if (state === undefined) {
      state = await this.#client.consumerState(this.#consumer, `chat ${chat}`)
      this.#cache.set(chat, state)
    }
    return state === '' ? undefined : state
  }

  async save(chat: string, _event: string, state: string) {
    const size = Buffer.byteLength(state)
    if (size > MAX_STATE_BYTES)
      throw new RangeError(`the state of a chat takes ${size} bytes; the server stores at most ${MAX_STATE_BYTES}`)
    if (this.#cache.get(chat) === state) return undefined
    this.#cache.set(chat, state)
    return { key: `chat ${chat}`, state }
  }
}

interface Entry {
  /** The last event that changed the state; a number in files of earlier versions. */
  readonly event: string | number
  /** JSON before that event; undefined if there was none. */
  readonly before?: string | undefined
  /** JSON after it. */
  readonly now: string
}

/**
 * Stored in a file, written before the event is acknowledged. The state before a chat's last event is stored as well: if
 * the process dies before the acknowledgement, that event is delivered again.
 */
class FileState implements StateStore {
  readonly #file: string
  readonly #entries: Map<string, Entry>
  #writing: Promise<void> = Promise.resolve()
  /** The queued write; it covers all changes made before it starts. */
  #next: Promise<void> | undefined

  private constructor(file: string, entries: Map<string, Entry>) {
    this.#file = file
    this.#entries = entries
  }

  /** @throws Error for a file that is not a bot's state */
  static async open(file: string): Promise<FileState> {
    return new FileState(file, new Map(Object.entries(parse(file, await contentOf(file)))))
  }

  async load(chat: string, event: string) {
    const entry = this.#entries.get(chat)
    return entry !== undefined && String(entry.event) === event ? entry.before : entry?.now
  }

  async save(chat: string, event: string, state: string) {
    const before = await this.load(chat, event)
    if (before === state) return undefined
    this.#entries.set(chat, { event, before, now: state })
    await this.#write()
    return undefined
  }

  #write(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        this.#writing = replace(this.#file, JSON.stringify(Object.fromEntries(this.#entries)))
        return this.#writing
      })
    return this.#next
  }
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}'
    throw error
  }
}

function parse(file: string, content: string): Record<string, Entry> {
  try {
    const parsed: unknown = JSON.parse(content)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, Entry>
  } catch (error) {
    throw new Error(`${file} is not a bot's state: ${(error as Error).message}`, { cause: error })
  }
  throw new Error(`${file} is not a bot's state`)
}

/** Replaces a file atomically, flushed to the disk. */
async function replace(file: string, content: string) {
  const temporary = `${file}.${process.pid}`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
}
