import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import type { WatchdogData } from './watchdog.ts'

const STDOUT = 1

const { heartbeat, intervalMs, maxMissed, stallMs } = workerData as WatchdogData

let last = -1
let missed = 0

setInterval(() => {
  const current = Atomics.load(heartbeat, 0)
  missed = current === last ? missed + 1 : 0
  last = current
  if (missed < maxMissed) return
  const record = {
    level: 'fatal',
    time: new Date().toISOString(),
    stall: stallMs,
    msg: 'the event loop is stalled: aborting',
  }
  try {
    // Written directly: the logger's stream belongs to the stalled thread.
    writeSync(STDOUT, `${JSON.stringify(record)}\n`)
  } finally {
    process.kill(process.pid, 'SIGABRT')
  }
}, intervalMs)
