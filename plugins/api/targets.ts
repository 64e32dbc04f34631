import { type ClientMessage, type Fields, Refused } from '../../core/index.ts'
import { FAILURES } from '../tokens/failures.ts'
import type { Grant, Target } from '../tokens/index.ts'

type Values = Readonly<Record<string, unknown>>

/** Fields that name a user or a group, in the messages of all plugins. */
const USER_FIELDS = ['to', 'user', 'with', 'from', 'member']
const GROUP_FIELDS = ['group']
/** Requests that reach nobody: a file is read by those to whom a message carries it. */
const WITHOUT_TARGET = ['ping', 'begin_upload', 'upload_chunk', 'finish_upload', 'query_usage']

/** The users and groups that a request is about. */
export function targetsOf(fields: Fields, values: Values): Target[] {
  return Object.entries(fields).flatMap(([name, field]): Target[] => {
    const value = values[name]
    if (field.kind === 'list')
      return (value as readonly Values[] | undefined)?.flatMap((one) => targetsOf(field.fields, one)) ?? []
    if (field.kind !== 'line' || typeof value !== 'string' || value === '') return []
    if (USER_FIELDS.includes(name)) return [{ user: value }]
    return GROUP_FIELDS.includes(name) ? [{ group: value }] : []
  })
}

/**
 * Refuses a request that is not about targets of the token only. Before any look-up: the answer is the same whether the
 * target exists.
 * @throws Refused `out_of_scope`
 */
export function checkTargets(token: Grant, { name, fields }: ClientMessage, values: Values) {
  if (token.targets === undefined || WITHOUT_TARGET.includes(name)) return
  const targets = targetsOf(fields, values)
  if (targets.length === 0)
    throw new Refused(FAILURES.out_of_scope, `this token has targets, and ${name} is not about one of them`)
  if (!targets.every((target) => token.mayReach(target)))
    throw new Refused(FAILURES.out_of_scope, 'this token does not reach that user or group')
}
