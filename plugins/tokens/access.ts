import type { User } from '../../core/index.ts'
import type { TokenRow } from '../../db/index.ts'

export const SCOPES = ['send', 'read', 'manage'] as const
export type Scope = (typeof SCOPES)[number]

/** Whom or what a request is about. */
export type Target = { readonly user: string } | { readonly group: string }

const GROUP_MARK = '@'

/** The targets of a text with one a line, user names in lower case as a login takes them; undefined for a text that is not valid. */
export function parseTargets(text: string): readonly string[] | undefined {
  const lines = text.split('\n').filter((line) => line !== '')
  const targets = lines.map((line) => (line.startsWith(GROUP_MARK) ? line : line.toLowerCase()))
  return targets.includes(GROUP_MARK) ? undefined : [...new Set(targets)]
}

/** A valid token, with what may be done with it. */
export class Grant {
  readonly id: number
  readonly userId: number
  readonly name: string
  readonly expiresAt: number
  readonly scopes: ReadonlySet<Scope>
  /** Undefined for all. */
  readonly targets: ReadonlySet<string> | undefined
  usedAt: number
  /** The user's account or tokens have changed: to be read again before it is used. */
  isStale = false
  readonly #ended = new AbortController()

  constructor({ id, user_id, name, expires_at, scopes, targets, used_at }: TokenRow) {
    this.id = id
    this.userId = user_id
    this.name = name
    this.expiresAt = expires_at
    this.usedAt = used_at
    const words = scopes.split(' ')
    this.scopes = new Set(SCOPES.filter((scope) => words.includes(scope)))
    this.targets = targets === '' ? undefined : new Set(parseTargets(targets))
  }

  /** Aborted when the token is revoked or expires, or its user is disabled. */
  get revoked(): AbortSignal {
    return this.#ended.signal
  }

  end() {
    this.#ended.abort()
  }

  mayReach(target: Target): boolean {
    if (this.targets === undefined) return true
    if ('group' in target) return this.targets.has(GROUP_MARK + target.group)
    // Adopted databases may have a user whose name looks like a group here.
    return !target.user.startsWith(GROUP_MARK) && this.targets.has(target.user.toLowerCase())
  }
}

/** What a request may do: its user, as the account is now, and the token. */
export interface Access {
  readonly user: User
  readonly token: Grant
}
