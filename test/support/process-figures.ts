import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whether the kernel tells about processes here. */
export const hasProc = () => existsSync('/proc/self/fd')

/** Open files and sockets of a process. */
export const openFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length

/** Resident memory of a process, MiB. */
export function residentMemory(pid: number): number {
  const [, kibibytes = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) / 1024
}

/** Waits until something that another process does has come about; the test's time limit is the limit. */
export async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(20)
}
