import { FAILURES, type FailureName, type InputOf, type ServerMessage, toLine } from './wire/index.ts'

type FailureMessage = (typeof FAILURES)[FailureName]['message']

/**
 * The answer "no" to a request: thrown by a handler or a `before` hook, sent to the client as a failure message.
 * A plugin may name failures of its own, as `plugin.reason`; they travel as general_failure with code 0.
 */
export class Refused extends Error {
  readonly code: FailureName | `${string}.${string}`
  /** Milliseconds after which the same request may succeed; 0 if waiting does not help. */
  readonly retryAfter: number
  /**
   * Set where the request may have been carried out all the same: resolves, when that is known, with the reply it would
   * have had, or with undefined when it was not carried out. Rejects when that cannot be known.
   */
  readonly outcome: Promise<object | undefined> | undefined

  constructor(
    code: Refused['code'],
    text?: string,
    { retryAfter = 0, outcome }: { retryAfter?: number; outcome?: Promise<object | undefined> } = {},
  ) {
    super(text ?? (isFailureName(code) ? FAILURES[code].text : code))
    this.name = 'Refused'
    this.code = code
    this.retryAfter = retryAfter
    this.outcome = outcome
  }
}

/** Wrong use of the server's API by its owner or a plugin: thrown at start, never sent to a client. */
export class SetupError extends Error {
  /** Whether a setting is wrong in itself, whatever machine or data it meets. */
  readonly isSetting: boolean

  constructor(message: string, { isSetting = false, ...options }: ErrorOptions & { isSetting?: boolean } = {}) {
    super(message, options)
    this.name = 'SetupError'
    this.isSetting = isSetting
  }
}

const isFailureName = (code: string): code is FailureName => Object.hasOwn(FAILURES, code)

/** The failure message that tells a client about `refused`. */
export function toFailure({ code, message, retryAfter }: Refused): {
  message: FailureMessage
  values: InputOf<ServerMessage<FailureMessage['fields']>>
} {
  const entry = isFailureName(code) ? FAILURES[code] : { code: 0, message: FAILURES.internal.message }
  return {
    message: entry.message,
    values: {
      code: entry.code,
      name: toLine(code, 64),
      text: toLine(message, 512),
      retryAfter: Math.min(Math.ceil(retryAfter), 0xffffffff),
    },
  }
}
