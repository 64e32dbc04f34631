import {
  FAILURES,
  type FailureDefinition,
  type FailureName,
  type InputOf,
  toLine,
  unlistedFailure,
} from './wire/index.ts'

export interface RefusalOptions {
  readonly retryAfter?: number
  readonly outcome?: Promise<object | undefined>
  /** The error of the database behind it. */
  readonly cause?: unknown
}

/**
 * The answer "no" to a request: thrown by a handler or a `before` hook, sent to the client as a failure message. Takes a
 * failure of the server itself by its name, one that a plugin declares (`failures` of definePlugin) as it is, and
 * `plugin.reason` with a text, which travels as general_failure with code 0.
 */
export class Refused extends Error {
  readonly failure: FailureDefinition
  /** Milliseconds after which the same request may succeed; 0 if waiting does not help. */
  readonly retryAfter: number
  /**
   * Set where the request may have been carried out all the same: resolves, when that is known, with the reply it would
   * have had, or with undefined when it was not carried out. Rejects when that cannot be known.
   */
  readonly outcome: Promise<object | undefined> | undefined

  constructor(
    failure: FailureName | FailureDefinition | `${string}.${string}`,
    text?: string,
    { retryAfter = 0, outcome, cause }: RefusalOptions = {},
  ) {
    const definition = typeof failure === 'string' ? named(failure) : failure
    super(text ?? definition.text, cause === undefined ? undefined : { cause })
    this.name = 'Refused'
    this.failure = definition
    this.retryAfter = retryAfter
    this.outcome = outcome
  }

  /** Name of the failure. */
  get code(): string {
    return this.failure.name
  }
}

const named = (name: string): FailureDefinition =>
  Object.hasOwn(FAILURES, name) ? FAILURES[name as FailureName] : unlistedFailure(name)

/** Wrong use of the server's API by its owner or a plugin: thrown at start, never sent to a client. */
export class SetupError extends Error {
  /** True if a setting is invalid on any machine and with any data. */
  readonly isSetting: boolean

  constructor(message: string, { isSetting = false, ...options }: ErrorOptions & { isSetting?: boolean } = {}) {
    super(message, options)
    this.name = 'SetupError'
    this.isSetting = isSetting
  }
}

/** The failure message that tells a client about `refused`. */
export function toFailure({ failure, message: text, retryAfter }: Refused): {
  message: FailureDefinition['message']
  values: InputOf<FailureDefinition['message']>
} {
  return {
    message: failure.message,
    values: {
      code: failure.code,
      name: toLine(failure.name, 64),
      text: toLine(text, 512),
      // Whatever a plugin has computed: a failure that cannot be encoded leaves the request without an answer.
      retryAfter: Math.min(Math.max(0, Math.ceil(retryAfter) || 0), 0xffffffff),
    },
  }
}
