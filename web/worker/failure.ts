import { ClientError, RefusedByServer } from '../../client/errors.ts'
import { ScramError } from '../../core/scram/index.ts'
import type { CallFailure } from '../shared/model.ts'

export function toFailure(error: unknown): CallFailure {
  if (error instanceof RefusedByServer) {
    const { code, failure, message: text, retryAfter } = error
    return { code, failure, text, retryAfter }
  }
  const text = error instanceof Error ? error.message : String(error)
  const code = error instanceof ClientError ? error.code : error instanceof ScramError ? error.code : 'internal'
  return { code, failure: '', text, retryAfter: 0 }
}
