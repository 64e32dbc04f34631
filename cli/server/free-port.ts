import { createServer } from 'node:net'
import { SetupError } from '../../core/index.ts'

/**
 * Looks whether one could listen there, so that a server that cannot is refused before it changes anything.
 * @param forWhom named in the error, such as ` for original clients`
 * @throws SetupError with the reason
 */
export async function checkFree(
  { host, port }: { readonly host: string; readonly port: number },
  forWhom = '',
): Promise<void> {
  if (port === 0) return
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'the address is in use' : message
      reject(new SetupError(`cannot listen${forWhom} on ${host}:${port}: ${why}`))
    })
    probe.listen({ host, port }, () => probe.close(() => resolve()))
  })
}
