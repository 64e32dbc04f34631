import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whether `/proc` is available. */
export const hasProc = () => existsSync('/proc/self/fd')

/** Open files and sockets of a process. */
export const openFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length

/** Resident memory of a process, MiB. */
export function residentMemory(pid: number): number {
  const [, kibibytes = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) / 1024
}

const UNTIL_MS = 60_000

/** Polls a condition on another process. @throws Error after a minute */
export async function until(what: string, condition: () => boolean) {
  for (const end = performance.now() + UNTIL_MS; !condition(); await sleep(20))
    if (performance.now() > end) throw new Error(`not within a minute: ${what}`)
}
