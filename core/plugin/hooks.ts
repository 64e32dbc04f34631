import { type ClientMessage, receive } from '../wire/index.ts'
import { type HookRun, HookTimeout, type Rule } from './before.ts'
import type { PluginRecord } from './plugin-record.ts'

type Values = Record<string, unknown>
// biome-ignore lint/suspicious/noExplicitAny: typed at the door, App.before
export type Hook = (session: any, values: any, run: HookRun) => unknown

/** Code that a plugin registered. */
export interface Owned<F> {
  readonly plugin: PluginRecord
  readonly run: F
}

export type OwnedHook = Owned<Hook> & { readonly rule: Rule }

const NONE: readonly OwnedHook[] = []

/** The `before` hooks of each message, in the order in which they run. */
export class Hooks {
  readonly #byMessage = new Map<ClientMessage, readonly OwnedHook[]>()

  of(message: ClientMessage): readonly OwnedHook[] {
    return this.#byMessage.get(message) ?? NONE
  }

  /** Returns the function that removes the hook. */
  add(message: ClientMessage, hook: OwnedHook): () => void {
    // A stable sort: hooks of equal order stay as they were registered.
    const sorted = [...this.of(message), hook].sort((a, b) => a.rule.order - b.rule.order)
    this.#byMessage.set(message, sorted)
    return () =>
      this.#byMessage.set(
        message,
        this.of(message).filter((other) => other !== hook),
      )
  }
}

/** A hook amended a message to values that the message cannot carry. */
class AmendmentError extends Error {
  override readonly name = 'AmendmentError'
}

/**
 * The values after a hook's answer, checked as if they had come from the wire.
 * @throws AmendmentError
 */
export function amended(message: ClientMessage, values: Values, answer: unknown): Values {
  if (answer === undefined || answer === null || answer === values) return values
  if (typeof answer !== 'object') throw new AmendmentError(`a hook returns values or nothing, not ${typeof answer}`)
  try {
    return receive(message, answer as never).values
  } catch (error) {
    throw new AmendmentError(`${message.name}: ${(error as Error).message}`)
  }
}

/** Fault of a hook, for the log. */
export function faultOf(error: unknown): string {
  if (error instanceof HookTimeout) return 'timed out'
  return error instanceof AmendmentError ? 'amended it wrongly' : 'failed'
}
