import { retryDelay } from '../../client/errors.ts'
import { refusalOf } from './refusal.ts'

const PAUSE_MS = 1000

/** Milliseconds until a failed request is made again; undefined where a retry does not help. */
export function pauseOf(error: unknown): number | undefined {
  const refusal = refusalOf(error)
  if (refusal !== undefined) return retryDelay(refusal, 0)
  const { code } = error as { code?: string }
  return code === 'timed_out' || code === 'lost' ? PAUSE_MS : undefined
}
