import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import type { WatchdogData } from './watchdog.ts'

const STDOUT = 1

const { turns, every, looks, stall } = workerData as WatchdogData

let last = -1
let without = 0

setInterval(() => {
  const now = Atomics.load(turns, 0)
  without = now === last ? without + 1 : 0
  last = now
  if (without < looks) return
  const record = { level: 'fatal', time: new Date().toISOString(), stall, msg: 'the server hangs, and ends itself' }
  try {
    // Past the log's own stream, which belongs to the thread that hangs.
    writeSync(STDOUT, `${JSON.stringify(record)}\n`)
  } finally {
    process.kill(process.pid, 'SIGABRT')
  }
}, every)
