import type { ClientErrorCode, Failure } from '../../client/errors.ts'
import { CLIENT_HINTS, CONSUMER_TAKEN, FAILURE_HINTS } from './hints.ts'
import { refusalOf } from './refusal.ts'
import { explainSystemError } from './system-error.ts'

/** Exit codes of every command; the JSON form of an error carries the name. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  authentication: 4,
  refused: 5,
  timed_out: 6,
  taken_over: 7,
  interrupted: 130,
} as const

export type ExitName = keyof typeof EXIT

/** An error with an exit code and an optional hint on the next step. */
export class CliError extends Error {
  readonly exit: ExitName
  readonly hint: string | undefined

  constructor(exit: ExitName, message: string, hint?: string) {
    super(message)
    this.name = 'CliError'
    this.exit = exit
    this.hint = hint
  }
}

export interface Explained {
  readonly exit: ExitName
  readonly message: string
  readonly hint?: string | undefined
  /** Name of the server's failure, if it was one. */
  readonly failure?: string | undefined
  readonly retryAfter?: number | undefined
}

const EXIT_OF_CLIENT: Record<ClientErrorCode, ExitName> = {
  unreachable: 'unreachable',
  key_changed: 'authentication',
  weak_server: 'authentication',
  authentication: 'authentication',
  refused: 'refused',
  timed_out: 'timed_out',
  aborted: 'interrupted',
  lost: 'unreachable',
  protocol: 'unreachable',
  closed: 'failed',
}

/** Failures of the login, or of a session that has ended. */
const LOGIN_FAILURES: readonly Failure[] = [
  'login_failed',
  'account_disabled',
  'too_many_attempts',
  'binding_required',
  'login_required',
  'logged_out',
]

/** Failures of a server that is there and cannot serve now: `unreachable`, so that a script retries later. */
const OUT_OF_SERVICE: readonly Failure[] = [
  'unavailable',
  'shutting_down',
  'timed_out',
  'store_unavailable',
  'file_held',
]

const exitOf = (failure: Failure): ExitName => {
  if (LOGIN_FAILURES.includes(failure)) return 'authentication'
  return OUT_OF_SERVICE.includes(failure) ? 'unreachable' : 'refused'
}

/**
 * Message, hint and exit code of any error. Errors of the libraries are told apart by name and code, so that this file
 * need not load them.
 */
export function explain(error: unknown): Explained {
  if (error instanceof CliError) return { exit: error.exit, message: error.message, hint: error.hint }
  if (!(error instanceof Error)) return { exit: 'failed', message: String(error) }
  const { name, message } = error
  const refusal = refusalOf(error)
  if (refusal !== undefined) {
    const { failure, retryAfter } = refusal
    const wait = retryAfter > 0 ? `${message}; try again in ${Math.ceil(retryAfter / 1000)} s` : message
    return {
      exit: exitOf(failure),
      message: wait,
      hint: FAILURE_HINTS[failure],
      failure,
      retryAfter: retryAfter || undefined,
    }
  }
  if (name === 'ClientError') {
    const { code } = error as Error & { code: ClientErrorCode }
    return { exit: EXIT_OF_CLIENT[code], message, hint: CLIENT_HINTS[code] }
  }
  if (name === 'DatabaseInUse')
    return { exit: 'refused', message, hint: 'stop it first, or name another folder with --data' }
  if (name === 'SetupError' && (error as Error & { isSetting: boolean }).isSetting) return { exit: 'usage', message }
  if (name === 'BotError' && (error as Error & { code: string }).code === 'consumer_taken')
    return { exit: 'taken_over', message, hint: CONSUMER_TAKEN }
  if (name === 'WireError' || name === 'ScramError') return { exit: 'usage', message }
  return { exit: 'failed', message, ...explainSystemError(error) }
}
