import type { Knex } from 'knex'
import { type App, Refused, toShownName, type UserSession, type ValuesOf } from '../../core/index.ts'
import { type ChangeFeed, insertToken, revokeToken, type TokenRow, tokensOf } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { parseTargets, SCOPES } from './access.ts'
import { FAILURES } from './failures.ts'
import type { TokenLimits } from './limits.ts'
import { CreateToken, QueryTokens, RevokeToken } from './messages.ts'
import { hashOf, newToken } from './secret.ts'

const NAME_CHARACTERS = 64
const DEFAULT_LIFETIME_MS = 90 * 86_400_000

interface Parts {
  readonly app: App
  readonly db: Knex
  readonly limits: TokenLimits
  readonly changes: ChangeFeed
}

/** A user's own tokens: create, list, revoke. */
export function handleTokens({ app, db, limits, changes }: Parts) {
  const create = async (session: UserSession, wanted: ValuesOf<typeof CreateToken>) => {
    const { user } = session
    const token = newToken()
    const created_at = app.clock.time()
    const row = {
      user_id: user.id,
      name: checkName(wanted.name),
      token_hash: hashOf(token),
      scopes: checkScopes(wanted),
      targets: checkTargets(wanted.targets),
      created_at,
      expires_at: created_at + checkLifetime(wanted.expiresIn, limits.tokenLifetime),
    }
    const id = await insertToken(db, row, limits.tokens)
    if (id === undefined) throw new Refused('too_many', `you have ${limits.tokens} tokens; revoke one`)
    const { name, scopes, targets } = row
    app.audit.info({ event: 'token_created', ...actor(session), user: user.name, token: id, name, scopes, targets })
    return { id, token, expiresAt: row.expires_at }
  }

  app.handle(CreateToken, create)

  app.handle(
    QueryTokens,
    async ({ user }) => ({ tokens: (await tokensOf(db, user.id, app.clock.time())).map(toEntry) }),
    { serial: true },
  )

  app.handle(RevokeToken, async (session, { id }) => {
    const wasRevoked = await changes.after(() => revokeToken(db, session.user.id, id))
    if (!wasRevoked) throw new Refused(FAILURES.no_token)
    app.audit.info({ event: 'token_revoked', ...actor(session), user: session.user.name, token: id })
  })
}

function toEntry({ id, name, scopes, targets, created_at, expires_at, used_at }: TokenRow) {
  const words = scopes.split(' ')
  return {
    id,
    name,
    send: words.includes('send'),
    read: words.includes('read'),
    manage: words.includes('manage'),
    targets,
    createdAt: created_at,
    expiresAt: expires_at,
    usedAt: used_at,
  }
}

/** @throws Refused `invalid_value` */
function checkName(wanted: string): string {
  const name = toShownName(wanted.trim(), NAME_CHARACTERS)
  if (name !== undefined) return name
  throw new Refused(
    'invalid_value',
    `the name of a token is one line of at most ${NAME_CHARACTERS} characters, all of which can be seen`,
  )
}

/** @throws Refused `invalid_value` */
function checkScopes(wanted: ValuesOf<typeof CreateToken>): string {
  const scopes = SCOPES.filter((scope) => wanted[scope])
  if (scopes.length > 0) return scopes.join(' ')
  throw new Refused('invalid_value', `a token has at least one scope of ${SCOPES.join(', ')}`)
}

/** @throws Refused `invalid_value` */
function checkTargets(text: string): string {
  const targets = parseTargets(text)
  if (targets !== undefined) return targets.join('\n')
  throw new Refused('invalid_value', 'a target is the name of a user, or @ and the name of a group')
}

/** @throws Refused `invalid_value` */
function checkLifetime(wanted: number, max: number): number {
  if (wanted === 0) return Math.min(DEFAULT_LIFETIME_MS, max)
  if (wanted <= max) return wanted
  throw new Refused('invalid_value', `a token is valid for at most ${max} ms`)
}
