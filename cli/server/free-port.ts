import { createServer } from 'node:net'
import { CliError } from '../errors/exit.ts'

/** Why one cannot listen, and what to type next, by the system's code. */
const REASONS: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  EADDRINUSE: [
    'the address is in use',
    'choose another port, as --port 7301, or 0 for a free one; `ss -ltnp` shows which process has it',
  ],
  EADDRNOTAVAIL: [
    'this machine has no such address',
    'listen on all addresses with 0.0.0.0, or on this machine with 127.0.0.1',
  ],
  EACCES: ['permission denied', 'ports below 1024 are the system’s: choose a higher one'],
  ENOTFOUND: ['there is no host of that name', 'give an address of this machine, as --host 127.0.0.1'],
}

/**
 * Refuses an address that cannot be listened on, before the server changes anything.
 * @param forWhom named in the error, such as ` for original clients`
 * @throws CliError `failed` with the reason
 */
export async function checkFree(
  { host, port }: { readonly host: string; readonly port: number },
  forWhom = '',
): Promise<void> {
  if (port === 0) return
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const [why, hint] = REASONS[code ?? ''] ?? [message]
      reject(new CliError('failed', `cannot listen${forWhom} on ${host}:${port}: ${why}`, hint))
    })
    probe.listen({ host, port }, () => probe.close(() => resolve()))
  })
}
