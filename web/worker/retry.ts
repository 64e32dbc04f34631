import { ClientError, RefusedByServer } from '../../client/errors.ts'
import { pause } from '../../client/waiting.ts'

const MIN_PAUSE_MS = 1000

/** Refusals and time limits that another attempt on the same connection may pass. */
const isWorthRetry = (error: ClientError) =>
  error.code === 'timed_out' || (error instanceof RefusedByServer && error.retryAfter > 0)

/**
 * Repeats a read of the server's state until it succeeds.
 * @returns false if the connection is lost: it is read after the next reconnect
 */
export async function retryWhileConnected(read: () => Promise<void>): Promise<boolean> {
  for (;;) {
    try {
      await read()
      return true
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      if (error.code === 'lost' || error.code === 'closed') return false
      if (!isWorthRetry(error)) throw error
      await pause(Math.max(MIN_PAUSE_MS, error instanceof RefusedByServer ? error.retryAfter : 0), undefined)
    }
  }
}
