import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EventLoop, Process } from '../machine/event-loop.ts'

/** The database of all nodes: a file, and a lock that one transaction holds at a time. */
export class SharedDatabase {
  readonly file: string
  readonly loop: EventLoop
  /** Called after every commit. */
  onCommit: () => void = () => {}
  /** Statements that nodes have run. */
  statements = 0
  /** The node whose transaction is open. */
  #holder: unknown
  #waiting: { readonly process: Process; readonly resume: () => void }[] = []

  /** @param image contents of the database */
  constructor(loop: EventLoop, folder: string, image: Buffer) {
    this.loop = loop
    this.file = join(folder, 'chat.db')
    this.destroy()
    writeFileSync(this.file, image)
  }

  /** Whether the transaction of another node is open. */
  isLockedFor(node: unknown): boolean {
    return this.#holder !== undefined && this.#holder !== node
  }

  /** Resolves when the transaction that is open now may have ended. */
  unlocked(process: Process): Promise<void> {
    return new Promise((resume) => void this.#waiting.push({ process, resume }))
  }

  /** After a statement of a node: whether it has a transaction open now. */
  ran(node: unknown, isInTransaction: boolean) {
    if (isInTransaction) this.#holder = node
    else if (this.#holder === node) {
      this.#holder = undefined
      for (const { process, resume } of this.#waiting.splice(0)) this.loop.post(process, resume)
    }
  }

  /** Keeps a copy of the database, for the search of a fault. */
  copyTo(path: string) {
    for (const suffix of ['', '-wal']) copyFileSync(`${this.file}${suffix}`, `${path}${suffix}`)
  }

  destroy() {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${this.file}${suffix}`, { force: true })
  }
}
