import { writeSync } from 'node:fs'
import { EXIT } from '../errors/exit.ts'

/** Resolves on SIGTERM, or on Ctrl-C through main's signal. A second SIGTERM ends the process at once. */
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
 * Handles SIGHUP, which by convention means log rotation or a closed terminal.
 * @param rotate called at each SIGHUP, unless the terminal of the output was closed
 * @returns resolves with `SIGHUP` when the terminal was closed
 */
export function onHangUp(rotate: () => void): Promise<string> {
  return new Promise((done) => {
    process.on('SIGHUP', () => (isTerminalGone() ? done('SIGHUP') : rotate()))
  })
}

/** Exits by SIGHUP: after the terminal was closed, a normal exit of Node aborts. */
export function exitByHangUp() {
  process.removeAllListeners('SIGHUP')
  process.kill(process.pid, 'SIGHUP')
}

/** Whether the output is a terminal that was closed: then even an empty write fails. */
function isTerminalGone(): boolean {
  if (process.stdout.isTTY !== true) return false
  try {
    writeSync(process.stdout.fd, '')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EIO'
  }
}
