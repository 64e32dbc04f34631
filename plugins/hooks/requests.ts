import { Refused, toLine } from '../../core/index.ts'
import { deadLetters, findGroup, groupNameOf, insertHook } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import { conversationOf } from '../groups/parts.ts'
import { privateWith } from '../messages/audience.ts'
import type { AddressRefused } from './addresses.ts'
import { KINDS } from './delivery.ts'
import { FAILURES } from './failures.ts'
import type { Hook } from './hook.ts'
import type { Hooks } from './hooks.ts'
import { AddHook, ChangeHook, QueryFailedEvents, QueryHooks, Redeliver, RotateHook } from './messages.ts'
import type { Parts } from './parts.ts'
import { newSecrets, rotated, sealed } from './signature.ts'

/** Hooks and events in one page. */
const [HOOKS_A_PAGE, EVENTS_A_PAGE] = [20, 100]
const MAX_LINE = 8192

interface Target {
  readonly user: string
  readonly group: string
}

/** Requests of admins about hooks. */
export function handleRequests(parts: Parts, hooks: Hooks) {
  handleAdding(parts, hooks)
  handleQueries(parts, hooks)
  const { app } = parts
  const changes = {
    enable: (hook: Hook) => hook.enable(),
    disable: (hook: Hook) => hook.disable('disabled by an admin'),
    remove: (hook: Hook) => hooks.remove(hook),
  }

  app.handle(ChangeHook, async (session, { hook: id, change }) => {
    const hook = await hooks.take(id)
    if (change === 'enable' && hook.secrets === undefined)
      throw new Refused('not_allowed', 'its secret was encrypted by another server: rotate it first')
    await changes[change](hook)
    app.audit.info({ event: `hook_${change}d`, ...actor(session), hook: id })
  })

  app.handle(RotateHook, async (session, { hook: id }) => {
    const hook = await hooks.take(id)
    const secrets = hook.secrets === undefined ? newSecrets() : rotated(hook.secrets, app.clock.time())
    await hook.setSecrets(secrets)
    app.audit.info({ event: 'hook_rotated', ...actor(session), hook: id })
    return { hook: id, secret: secrets.current }
  })

  app.handle(Redeliver, async (session, { hook: id, id: event }) => {
    const hook = await hooks.take(id)
    const events = await hook.redeliver(event)
    app.audit.info({ event: 'hook_redelivered', ...actor(session), hook: id, events })
    return { events }
  })
}

function handleAdding(parts: Parts, hooks: Hooks) {
  const { app, db, limits, accounts, conversations } = parts

  const checkUrl = (url: string) => {
    try {
      return parts.posting.addresses.checkUrl(url).href
    } catch (error) {
      throw new Refused(FAILURES.hook_url, `the URL ${(error as AddressRefused).message}`)
    }
  }

  /** The conversation of a name, by ids: names may change. @throws Refused */
  const conversation = async ({ user, group }: Target): Promise<string> => {
    if ((user === '') === (group === '')) throw new Refused('invalid_value', 'name a user or a group in each entry')
    if (user !== '') return privateWith((await accounts.require(user)).id)
    const found = await findGroup(db, group)
    if (found === undefined) throw new Refused(GROUP_FAILURES.group_not_exist, `there is no group "${group}"`)
    return conversationOf(found.id)
  }

  app.handle(AddHook, async (session, { user, url, kinds, reply, to }) => {
    const account = await accounts.require(user, { active: true })
    const wanted = kinds.split(',').filter(Boolean)
    const unknown = wanted.find((kind) => !Object.hasOwn(KINDS, kind))
    if (unknown !== undefined)
      throw new Refused('invalid_value', `"${unknown}" is none of ${Object.keys(KINDS).join(', ')}`)
    const only = await Promise.all(to.map(conversation))
    const secrets = newSecrets()
    const row = {
      user_id: account.id,
      url: checkUrl(url),
      secrets: sealed(secrets, parts.key),
      kinds: wanted.join(','),
      conversations: only.length === 0 ? '' : JSON.stringify(only),
      isReply: reply ? 1 : 0,
      position: conversations.horizon(),
      created_at: app.clock.time(),
      owner: app.cluster.node,
    }
    const id = await insertHook(db, row, limits.hooks)
    if (id === undefined) throw new Refused('too_many', `the user has ${limits.hooks} hooks; remove one`)
    app.audit.info({ event: 'hook_added', ...actor(session), hook: id, user: account.name, url: row.url })
    hooks.add({ ...row, id, pending: [], failing_since: 0, disabled: '' })
    return { hook: id, secret: secrets.current }
  })
}

function handleQueries({ app, db, accounts }: Parts, hooks: Hooks) {
  /** The present names of conversations. */
  const namesOf = async (conversations: string): Promise<string[]> => {
    const keys = conversations === '' ? [] : (JSON.parse(conversations) as string[])
    const named = keys.map(async (key) => {
      const [sort, id] = key.split(' ')
      if (sort === 'group') return `@${(await groupNameOf(db, Number(id))) ?? '?'}`
      return (await accounts.byIds([Number(id)])).get(Number(id))?.name ?? '?'
    })
    return Promise.all(named)
  }

  app.handle(QueryHooks, async (_session, { after }) => {
    const all = (await hooks.all()).filter(({ row }) => row.id > after)
    const page = all.slice(0, HOOKS_A_PAGE)
    const owners = await accounts.byIds(page.map(({ row }) => row.user_id))
    const described = page.map(async (hook) => {
      const { id, user_id, url, kinds, conversations, isReply, created_at } = hook.row
      return {
        hook: id,
        user: owners.get(user_id)?.name ?? '?',
        url,
        kinds,
        to: toLine((await namesOf(conversations)).join(', '), MAX_LINE),
        reply: isReply === 1,
        ...hook.state,
        pending: hook.pending,
        dead: hook.dead,
        createdAt: created_at,
      }
    })
    return { more: all.length > page.length, hooks: await Promise.all(described) }
  })

  app.handle(QueryFailedEvents, async (_session, { hook, after }) => {
    await hooks.check(hook)
    const rows = await deadLetters(db, hook, after, EVENTS_A_PAGE + 1)
    const events = rows.slice(0, EVENTS_A_PAGE).map(({ message_id, attempts, failed_at, reason }) => ({
      id: message_id,
      attempts,
      failedAt: failed_at,
      reason,
    }))
    return { more: rows.length > events.length, events }
  })
}
