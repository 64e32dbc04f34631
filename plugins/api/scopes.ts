import { type ClientMessage, Refused } from '../../core/index.ts'
import { FAILURES } from '../tokens/failures.ts'
import type { Scope } from '../tokens/index.ts'

/** A token must not make, list or take anything with which somebody logs in. */
const CREDENTIALS = /(^|_)(token|device|password|login|salt|hook|hooks|endpoint)s?(_|$)/

/** Only for a session that stays, or with an operation of its own. */
const OF_SESSIONS = [
  'receive',
  'consume',
  'once',
  'logout',
  'register',
  'create_user',
  'stream_delta',
  'report_agent_call',
]
const OF_STREAMS = /_streams?$/

/** Everything else: `query_` and `search_` need `read`, the rest needs `manage`. */
const EXCEPTIONS: Readonly<Record<string, Scope>> = {
  send_message: 'send',
  chatroom_message: 'send',
  schedule_message: 'send',
  cancel_scheduled: 'send',
  edit_message: 'send',
  recall_message: 'send',
  react: 'send',
  typing: 'send',
  begin_upload: 'send',
  upload_chunk: 'send',
  finish_upload: 'send',
  read_file: 'read',
  acknowledge: 'read',
  acknowledge_room: 'read',
  acknowledge_event: 'read',
  move_consumer: 'read',
  delete_consumer: 'read',
  friend_list: 'read',
  ping: 'read',
  sync: 'read',
}

/** The scope that a message needs; undefined for one that no token may send. */
export function scopeOf({ name, allow }: ClientMessage): Scope | undefined {
  if (allow === 'operator' || allow === 'anonymous') return undefined
  if (CREDENTIALS.test(name) || OF_SESSIONS.includes(name) || OF_STREAMS.test(name)) return undefined
  return EXCEPTIONS[name] ?? (/^(query|search)_/.test(name) ? 'read' : 'manage')
}

/** @throws Refused `not_allowed`, `out_of_scope` */
export function checkScope(scopes: ReadonlySet<Scope>, message: ClientMessage) {
  const scope = scopeOf(message)
  if (scope === undefined) throw new Refused('not_allowed', `${message.name} cannot be sent with a token`)
  requireScope(scopes, scope)
}

/** @throws Refused `out_of_scope` */
export function requireScope(scopes: ReadonlySet<Scope>, scope: Scope) {
  if (!scopes.has(scope)) throw new Refused(FAILURES.out_of_scope, `this token has not the scope "${scope}"`)
}
