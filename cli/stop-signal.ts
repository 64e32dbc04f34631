import { EXIT } from './exit.ts'

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
