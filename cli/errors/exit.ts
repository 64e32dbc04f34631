import type { ClientErrorCode } from '../../client/index.ts'
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

/** An error with an exit code of its own and, where there is one, a hint of what to do. */
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

const LOGIN_FAILURES = [
  'login_failed',
  'account_disabled',
  'too_many_attempts',
  'binding_required',
  'login_required',
  'logged_out',
]

/** Refusals that pass: the same request may be carried out a while later. */
const PASSING = ['unavailable', 'shutting_down', 'timed_out']

const HINTS: Readonly<Record<string, string>> = {
  unreachable: 'is the server running? Start one with `chatctl serve`, or name another with --server HOST:PORT',
  key_changed:
    'someone may be in the middle. If the server really has a new key, compare it with what `chatctl serve` prints, ' +
    'then run `chatctl context forget SERVER` and log in again',
  protocol: 'is that the port of a chatctl server?',
  login_failed: 'check name and password; a kept login is renewed with `chatctl login NAME`',
  weak_server:
    'a server that poses as another one could try passwords cheaply. If it is yours, give its key, as `chatctl serve` ' +
    'prints it, with --pin SHA256:…',
  authentication: 'log in again with `chatctl login NAME`',
  logged_out: 'another login of this account may have changed its password or ended its sessions',
  user_not_exist: 'look at the spelling; `chatctl contacts` lists who you know',
  not_friends: 'ask to be friends with `chatctl friends add NAME`; the other one accepts',
  too_many_sessions: 'end another one; those whose connection was lost end by themselves, and then there is room',
  consumer_taken: 'started again, it would take it back; --consumer NAME gives this one a place of its own',
  username_taken: 'choose another name, or log in with `chatctl login NAME`',
}

/**
 * Turns any error into what the user is told. Errors of the libraries are told apart by name and code, so that this
 * file need not load them.
 */
export function explain(error: unknown): Explained {
  if (error instanceof CliError) return { exit: error.exit, message: error.message, hint: error.hint }
  if (!(error instanceof Error)) return { exit: 'failed', message: String(error) }
  const { name, message } = error
  if (name === 'RefusedByServer') {
    const { failure, retryAfter } = error as Error & { failure: string; retryAfter: number }
    const exit = LOGIN_FAILURES.includes(failure)
      ? 'authentication'
      : PASSING.includes(failure)
        ? 'unreachable'
        : 'refused'
    const wait = retryAfter > 0 ? `${message}; try again in ${Math.ceil(retryAfter / 1000)} s` : message
    return { exit, message: wait, hint: HINTS[failure], failure, retryAfter: retryAfter || undefined }
  }
  if (name === 'ClientError') {
    const { code } = error as Error & { code: ClientErrorCode }
    return { exit: EXIT_OF_CLIENT[code], message, hint: HINTS[code] }
  }
  if (name === 'DatabaseInUse') return { exit: 'refused', message, hint: 'stop it first' }
  if (name === 'SetupError' && (error as Error & { isSetting: boolean }).isSetting) return { exit: 'usage', message }
  if (name === 'BotError' && (error as Error & { code: string }).code === 'consumer_taken')
    return { exit: 'taken_over', message, hint: HINTS.consumer_taken }
  if (name === 'WireError' || name === 'ScramError') return { exit: 'usage', message }
  return { exit: 'failed', message, ...explainSystemError(error) }
}
