import { writeSync } from 'node:fs'
import { EXIT } from '../errors/exit.ts'

/** SIGTERM, or Ctrl-C through the signal that main owns. A second one ends the process at once. */
export function stopSignal(interrupt: AbortSignal): Promise<string> {
  return new Promise((done) => {
    interrupt.addEventListener('abort', () => done('SIGINT'), { once: true })
    if (interrupt.aborted) done('SIGINT')
    process.once('SIGTERM', () => {
      process.once('SIGTERM', () => process.exit(EXIT.failed))
      done('SIGTERM')
    })
  })
}

/**
 * SIGHUP, which no longer ends the process: by custom it says that logs were renamed, or that the terminal was closed.
 * @param rotate called for each one that comes while the output is no terminal, or one that is still there
 * @returns settles with `SIGHUP` when the terminal is gone
 */
export function hangUp(rotate: () => void): Promise<string> {
  return new Promise((done) => {
    process.on('SIGHUP', () => (isTerminalGone() ? done('SIGHUP') : rotate()))
  })
}

/** Ends the process by SIGHUP, when all is done: Node aborts when it ends by itself and the terminal is gone. */
export function endByHangUp() {
  process.removeAllListeners('SIGHUP')
  process.kill(process.pid, 'SIGHUP')
}

/** Whether the output goes to a terminal that was closed: it then takes nothing any more, not even nothing. */
function isTerminalGone(): boolean {
  if (process.stdout.isTTY !== true) return false
  try {
    writeSync(process.stdout.fd, '')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EIO'
  }
}
