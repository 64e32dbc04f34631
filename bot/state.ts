import { open, readFile, rename } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import type { Client, KeptState } from '../client/index.ts'

export interface StateOptions<State> {
  /** The state of a chat that has none yet. Everything in it has to survive `JSON.stringify`. */
  initial(): State
  /**
   * Where it is kept. `server`: with the bot's consumer, at most 16,384 bytes a chat. A file: on the bot's own disk,
   * all chats in one. `memory`: not over a restart.
   */
  readonly in: 'server' | 'memory' | { readonly file: string }
}

/** The states of chats, as JSON; each run of a handler parses its own copy. An event is named by the key of its work. */
export interface StateStore {
  /** What an event finds: as it was before the event, also when the event comes again. */
  load(chat: string, event: string): Promise<string | undefined>
  /** Keeps what an event leaves. What is returned has to go with the event's acknowledgement. */
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

/** Chats whose state need not be asked for again: only this process writes it. */
const CACHED = 1000
/** What the wire takes as a state, in bytes. */
const MAX_STATE = 16_384

/** Kept by the server in the transaction of the acknowledgement, so an event that comes again finds the state before it. */
class ServerState implements StateStore {
  readonly #client: Client
  readonly #consumer: string
  readonly #known = new LRUCache<string, string>({ max: CACHED })

  constructor(client: Client, consumer: string) {
    this.#client = client
    this.#consumer = consumer
  }

  async load(chat: string) {
    let state = this.#known.get(chat)
    if (state === undefined) {
      state = await this.#client.consumerState(this.#consumer, `chat ${chat}`)
      this.#known.set(chat, state)
    }
    return state === '' ? undefined : state
  }

  async save(chat: string, _event: string, state: string) {
    const size = Buffer.byteLength(state)
    if (size > MAX_STATE) throw new RangeError(`the state of a chat takes ${size} bytes; the server keeps ${MAX_STATE}`)
    if (this.#known.get(chat) === state) return undefined
    this.#known.set(chat, state)
    return { key: `chat ${chat}`, state }
  }
}

interface Entry {
  /** The last event that changed it; a number in files of earlier versions. */
  readonly event: string | number
  /** As JSON; undefined if there was none. */
  readonly before?: string | undefined
  readonly now: string
}

/**
 * Kept in a file, written before the event is acknowledged. Each chat keeps the state before its last event as well: that
 * event may come again, when the process ended between the two.
 */
class FileState implements StateStore {
  readonly #file: string
  readonly #entries: Map<string, Entry>
  #writing: Promise<void> = Promise.resolve()
  /** Resolves when the write that has not begun yet is done; it takes in all changes until it begins. */
  #next: Promise<void> | undefined

  private constructor(file: string, entries: Map<string, Entry>) {
    this.#file = file
    this.#entries = entries
  }

  /** @throws Error for a file that holds something else */
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
    throw new Error(`${file} is no state of a bot: ${(error as Error).message}`, { cause: error })
  }
  throw new Error(`${file} is no state of a bot`)
}

/** Writes a file whole or not at all, and to the disk. */
async function replace(file: string, content: string) {
  const draft = `${file}.${process.pid}`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}
