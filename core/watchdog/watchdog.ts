import { Worker } from 'node:worker_threads'

export interface WatchdogData {
  /** Counted up by the watched thread. */
  readonly turns: Int32Array
  /** Milliseconds between two looks. */
  readonly every: number
  /** In so many looks there must have been a turn. */
  readonly looks: number
  readonly stall: number
}

/** Looks in one time limit. Time is counted in looks: a machine that sleeps, or a stopped process, is not a stall. */
const LOOKS = 10

/**
 * Watches over this thread from another one, as long as the process runs. When it has not come to its next turn for that
 * long, in an endless loop of a plugin for one, the process says so in a last line on stdout and ends with SIGABRT:
 * nothing can be mended from within, and whoever supervises it starts it again. Nothing acknowledged is lost by that.
 * @param stall milliseconds; 0 watches nothing
 */
export function startWatchdog(stall: number) {
  if (stall === 0) return
  const turns = new Int32Array(new SharedArrayBuffer(4))
  const every = stall / LOOKS
  const workerData: WatchdogData = { turns, every, looks: LOOKS, stall }
  // Neither must keep alive what they watch.
  setInterval(() => Atomics.add(turns, 0, 1), every).unref()
  new Worker(new URL('./watchdog-thread.js', import.meta.url), { workerData }).unref()
}
