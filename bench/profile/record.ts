// Loaded into a server with `--import`: the first SIGUSR2 starts a CPU profile, the next one writes it to CPU_PROFILE.
import { renameSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { isMainThread } from 'node:worker_threads'

const INTERVAL_MICROSECONDS = 250

if (isMainThread) {
  const file = process.env.CPU_PROFILE ?? ''
  const session = new Session()
  let isRunning = false
  const toggle = async () => {
    isRunning = !isRunning
    if (isRunning) {
      session.connect()
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS })
      await session.post('Profiler.start')
    } else {
      const { profile } = await session.post('Profiler.stop')
      session.disconnect()
      // Under its name the file is complete.
      writeFileSync(`${file}.part`, JSON.stringify(profile))
      renameSync(`${file}.part`, file)
    }
  }
  process.on('SIGUSR2', () => void toggle())
}
