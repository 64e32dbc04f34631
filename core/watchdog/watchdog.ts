import { Worker } from 'node:worker_threads'

export interface WatchdogData {
  /** Heartbeat counter, incremented by the watched thread. */
  readonly heartbeat: Int32Array
  /** Milliseconds between two checks. */
  readonly intervalMs: number
  /** Consecutive checks without a heartbeat that count as a stall. */
  readonly maxMissed: number
  readonly stallMs: number
}

/** Checks per stall limit. Checks are counted, not time: a suspended machine or a stopped process is not a stall. */
const CHECKS_PER_STALL = 10

/**
 * Monitors this thread's event loop from a worker thread, for the life of the process. After a stall, such as an endless
 * loop in a plugin, the process logs a last line on stdout and aborts with SIGABRT, so that its supervisor restarts it.
 * Acknowledged messages are not lost.
 * @param stallMs longest time without a turn of the event loop, milliseconds; 0 disables the watchdog
 */
export function startWatchdog(stallMs: number) {
  if (stallMs === 0) return
  const heartbeat = new Int32Array(new SharedArrayBuffer(4))
  const intervalMs = stallMs / CHECKS_PER_STALL
  const workerData: WatchdogData = { heartbeat, intervalMs, maxMissed: CHECKS_PER_STALL, stallMs }
  // Neither may keep the process alive.
  setInterval(() => Atomics.add(heartbeat, 0, 1), intervalMs).unref()
  new Worker(new URL('./watchdog-thread.js', import.meta.url), { workerData }).unref()
}
