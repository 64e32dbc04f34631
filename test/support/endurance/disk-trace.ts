import { spawnSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** System calls of a traced server, in order. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly path: string; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'sync begins' | 'synced'; readonly path: string }
  /** To the peer on that port, which receives nothing before this. */
  | { readonly kind: 'send'; readonly port: number; readonly length: number }

/** Whether strace works here. */
export const canTrace = () => spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** The command to run a server under, which traces it to a file. */
export const tracedTo = (file: string): string[] => [
  'strace',
  '-f',
  '--seccomp-bpf',
  '-yy',
  '-xx',
  ...['-s', '65536'],
  ...['-e', 'trace=pwrite64,fdatasync,fsync,ftruncate,write,writev'],
  ...['-e', 'signal=none'],
  ...['-o', file],
]

const CALL = /^(\d+) +(\w+)\(\d+<(?:TCP:\[[^\]]*:(\d+)\]|([^>]*))>(?:\(deleted\))?(.*)$/
const RESUMED = /^(\d+) +<\.\.\. (fdatasync|fsync) resumed>.*= (-?\d+)/

const fromHex = (text: string) => Buffer.from(text.replaceAll('\\x', ''), 'hex')

/** Reads a trace. @throws Error for a failed flush or an unreadable line */
export async function* readTrace(file: string): AsyncGenerator<DiskEvent> {
  /** Files being flushed, by thread. */
  const flushing = new Map<string, string>()
  for await (const text of createInterface({ input: createReadStream(file, 'latin1') })) {
    const resumed = RESUMED.exec(text)
    if (resumed !== null) {
      const [, thread = '', , result] = resumed
      if (result !== '0') throw new Error(`a flush failed: ${text}`)
      yield { kind: 'synced', path: flushing.get(thread) ?? '' }
      continue
    }
    const call = CALL.exec(text)
    if (call === null) continue
    const [, thread = '', name, port, target = '', rest = ''] = call
    if (port !== undefined) {
      const length = lengthOf(rest)
      if (/= -1 EAGAIN/.test(rest) || length === 0) continue
      yield { kind: 'send', port: Number(port), length }
      continue
    }
    const path = fromHex(target).toString()
    if (name === 'pwrite64') {
      const write = /^, "([^"]*)", \d+, (\d+)/.exec(rest)
      if (write === null) throw new Error(`cannot read ${text.slice(0, 200)}`)
      yield { kind: 'write', path, bytes: fromHex(write[1] ?? ''), at: Number(write[2]) }
    } else if (name === 'ftruncate') yield { kind: 'truncate', path, size: Number(/^, (\d+)/.exec(rest)?.[1]) }
    else if (name === 'fdatasync' || name === 'fsync') {
      yield { kind: 'sync begins', path }
      if (/<unfinished/.test(rest)) flushing.set(thread, path)
      else if (rest.endsWith('= 0')) yield { kind: 'synced', path }
      else throw new Error(`a flush failed: ${text}`)
    }
  }
}

/** Number of bytes passed to write or writev. */
function lengthOf(rest: string): number {
  const parts = [...rest.matchAll(/iov_len=(\d+)/g)]
  if (parts.length > 0) return parts.reduce((sum, [, length]) => sum + Number(length), 0)
  return Number(/^, "[^"]*", (\d+)/.exec(rest)?.[1] ?? 0)
}

type Change = Extract<DiskEvent, { kind: 'write' | 'truncate' }>

/** A file during a power cut: flushed content and pending writes. */
export class DiskFile {
  #durable: Buffer
  #size: number
  #pending: Change[] = []
  /** How many pending changes the flush in flight covers. */
  #covered = 0

  constructor(content: Buffer) {
    this.#durable = content
    this.#size = content.length
  }

  take(event: DiskEvent) {
    if (event.kind === 'write' || event.kind === 'truncate') this.#pending.push(event)
    else if (event.kind === 'sync begins') this.#covered = this.#pending.length
    else if (event.kind === 'synced') {
      for (const change of this.#pending.splice(0, this.#covered)) this.#apply(change)
      this.#covered = 0
    }
  }

  get hasUnflushed(): boolean {
    return this.#pending.length > 0
  }

  /** The content after a power cut now, with the pending changes for which `survives` returns true. */
  afterPowerCut(survives: () => boolean): Buffer {
    const left = new DiskFile(Buffer.from(this.#durable.subarray(0, this.#size)))
    for (const change of this.#pending) if (survives()) left.#apply(change)
    return left.#durable.subarray(0, left.#size)
  }

  #apply(change: Change) {
    if (change.kind === 'truncate') {
      this.#grow(change.size)
      this.#durable.fill(0, change.size)
      this.#size = change.size
      return
    }
    const { bytes, at } = change
    this.#grow(at + bytes.length)
    bytes.copy(this.#durable, at)
    this.#size = Math.max(this.#size, at + bytes.length)
  }

  #grow(size: number) {
    if (size <= this.#durable.length) return
    const larger = Buffer.alloc(size * 2)
    this.#durable.copy(larger, 0, 0, this.#size)
    this.#durable = larger
  }
}
