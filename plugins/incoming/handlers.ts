import type { Knex } from 'knex'
import { type App, Refused, toShownName, type UserSession, type ValuesOf } from '../../core/index.ts'
import { type IncomingHookRow, incomingHooksOf, insertIncomingHook, revokeIncomingHook } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import type { Accounts } from '../accounts/index.ts'
import { QueryRoomUsers } from '../groups/messages.ts'
import { hashOf, newToken } from '../tokens/secret.ts'
import { FAILURES } from './failures.ts'
import type { IncomingLimits } from './limits.ts'
import { CreateIncomingHook, QueryIncomingHooks, RevokeIncomingHook } from './messages.ts'
import { signingKey } from './signature.ts'

const NAME_CHARACTERS = 64

interface Parts {
  readonly app: App
  readonly db: Knex
  readonly accounts: Accounts
  readonly limits: IncomingLimits
}

/** A user's own hooks: create, list, revoke. */
export function handleIncomingHooks({ app, db, accounts, limits }: Parts) {
  /** The stored form of a target. @throws Refused as for a message, `group_not_exist` where a group cannot be seen */
  const targetOf = async (session: UserSession, { to, group }: ValuesOf<typeof CreateIncomingHook>) => {
    if ((to === '') === (group === '')) throw new Refused('invalid_value', 'a hook posts to one user or one group')
    if (to !== '') return (await accounts.require(to, { active: true })).name
    await session.request(QueryRoomUsers, { group }, { rated: false })
    return `@${group}`
  }

  app.handle(CreateIncomingHook, async (session, wanted) => {
    const { user } = session
    const target = await targetOf(session, wanted)
    const token = newToken()
    const row = {
      user_id: user.id,
      name: checkName(wanted.name),
      token_hash: hashOf(token),
      format: wanted.format,
      target,
      is_signed: wanted.signed ? 1 : 0,
      created_at: app.clock.time(),
    }
    const id = await insertIncomingHook(db, row, limits.incomingHooks)
    if (id === undefined) throw new Refused('too_many', `you have ${limits.incomingHooks} hooks; revoke one`)
    app.audit.info({ event: 'hook_created', ...actor(session), user: user.name, hook: id, name: row.name, target })
    return { id, token, expiresAt: 0, secret: signingKey(app.secret('incoming'), row.token_hash) }
  })

  app.handle(QueryIncomingHooks, async ({ user }) => ({ hooks: (await incomingHooksOf(db, user.id)).map(toEntry) }), {
    serial: true,
  })

  app.handle(RevokeIncomingHook, async (session, { id }) => {
    if (!(await revokeIncomingHook(db, session.user.id, id))) throw new Refused(FAILURES.no_incoming_hook)
    app.audit.info({ event: 'hook_revoked', ...actor(session), user: session.user.name, hook: id })
  })
}

function toEntry({ id, name, target, format, is_signed, created_at, used_at }: IncomingHookRow) {
  const isGroup = target.startsWith('@')
  return {
    id,
    name,
    to: isGroup ? '' : target,
    group: isGroup ? target.slice(1) : '',
    format,
    signed: is_signed === 1,
    createdAt: created_at,
    usedAt: used_at,
  }
}

/** @throws Refused `invalid_value` */
function checkName(wanted: string): string {
  const name = toShownName(wanted.trim(), NAME_CHARACTERS)
  if (name !== undefined) return name
  throw new Refused(
    'invalid_value',
    `the name of a hook is one line of at most ${NAME_CHARACTERS} characters, all of which can be seen`,
  )
}
