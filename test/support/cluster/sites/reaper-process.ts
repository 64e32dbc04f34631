// Waits for the end of its input, which is that of a test however it ends. Then ends what is in the namespaces that are its
// arguments, and removes them.
import { spawnSync } from 'node:child_process'
import { removeLeftovers } from './faketime.ts'

const ip = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' }).stdout ?? ''

process.stdin.resume().on('end', () => {
  for (const name of process.argv.slice(2)) {
    const pids = ip('netns', 'pids', name).split('\n').filter(Boolean).map(Number)
    for (const pid of pids)
      try {
        process.kill(pid, 'SIGKILL')
        removeLeftovers(pid)
      } catch (error) {
        // It has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    ip('netns', 'del', name)
  }
})
