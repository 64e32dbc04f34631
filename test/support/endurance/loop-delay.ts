// Loaded into a server with `--import`: each SIGUSR2 writes the event loop delays since the last one to LOOP_DELAY.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const RESOLUTION_MS = 5
const NANOSECONDS = 1e6

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  process.on('SIGUSR2', () => {
    const late = (nanoseconds: number) => Math.max(0, Math.round(nanoseconds / NANOSECONDS) - RESOLUTION_MS)
    const figures = { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) }
    writeFileSync(process.env.LOOP_DELAY ?? '', JSON.stringify(figures))
    delay.reset()
  })
}
