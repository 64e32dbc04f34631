import type { UserSession } from '../../core/index.ts'

/** Refuses, by throwing Refused, what a user writes to another one in private. */
export type WriteRule = (session: UserSession, recipientId: number) => void | Promise<void>

/**
 * Rules of other plugins for requests that name a message instead of a recipient, such as an edit. For `send_message`
 * these plugins have hooks, which come before the look-up of the recipient.
 */
export class WriteRules {
  readonly #rules: WriteRule[] = []

  add(rule: WriteRule) {
    this.#rules.push(rule)
  }

  /** @throws Refused as the first rule that refuses */
  async check(session: UserSession, recipientId: number) {
    for (const rule of this.#rules) await rule(session, recipientId)
  }
}
