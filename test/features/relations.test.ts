import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { BUILT_IN_MESSAGES, type Client, SendMessage } from '../../client/index.ts'
import { type ClientMessage, encode } from '../../core/index.ts'
import { deriveKeys, storedKey, verifierOf } from '../../core/scram/index.ts'
import * as tables from '../../db/index.ts'
import { openDatabase } from '../../db/index.ts'
import { formatVerifier } from '../../plugins/accounts/verifier.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

/** The caller's relation to the other user, who owns a group. */
const RELATIONS = [
  'anonymous',
  'stranger',
  'blocked',
  'friend',
  'member',
  'ex-member',
  'group admin',
  'group owner',
  'admin',
] as const
type Relation = (typeof RELATIONS)[number]

/** `ok`, or the name of the failure; `rest` for relations that are not named. */
type Outcomes = { readonly [R in Relation]?: string } & { readonly rest: string }

interface World {
  readonly me: string
  readonly other: string
  /** A third user, unrelated to both. */
  readonly third: string
  /** The other user's group, in which the caller has the role of the relation. */
  readonly group: string
  /** The caller's own group, without the other. */
  readonly ownGroup: string
  readonly ownMessage: number
  readonly othersMessage: number
  readonly ownFile: number
  readonly othersFile: number
}

/** One message type: requests on own objects and on the other user's, with expected outcomes. */
interface Row {
  readonly own: (world: World) => Record<string, unknown>
  readonly others: (world: World) => Record<string, unknown>
  readonly ownOutcome: Outcomes
  readonly othersOutcome: Outcomes
}

/** SHA-256 of `x`, the content of all files. */
const CONTENT_KEY = createHash('sha256').update('x').digest('hex')
const PASSWORD = 'the same for all'
const SALT = Buffer.alloc(32, 1)

const row = (
  own: Row['own'],
  ownOutcome: Outcomes | string,
  others: Row['others'] = own,
  othersOutcome: Outcomes | string = ownOutcome,
): Row => ({ own, others, ownOutcome: outcomes(ownOutcome), othersOutcome: outcomes(othersOutcome) })

/** A plain name is the outcome for every logged-in user. */
const outcomes = (given: Outcomes | string): Outcomes =>
  typeof given === 'string' ? { anonymous: 'login_required', rest: given } : { anonymous: 'login_required', ...given }

const nothing = () => ({})
const me = ({ me: user }: World) => ({ user })
const other = ({ other: user }: World) => ({ user })
const ownGroup =
  (more: Record<string, unknown> = {}) =>
  (world: World) => ({ group: world.ownGroup, ...more })
const othersGroup =
  (more: Record<string, unknown> = {}) =>
  (world: World) => ({ group: world.group, ...more })
const text = { text: 'hi' }

const MEMBERS = { member: 'ok', 'group admin': 'ok', 'group owner': 'ok', rest: 'not_member' }
const MANAGERS = { ...MEMBERS, member: 'role_too_low' }
const OWNER = { ...MANAGERS, 'group admin': 'role_too_low' }
/** Who may write to the other user in private. */
const WRITERS = { friend: 'ok', admin: 'ok', blocked: 'blocked', rest: 'not_friends' }
const ADMIN = { admin: 'ok', rest: 'not_allowed' }
const HOOKS = { admin: 'no_hook', rest: 'not_allowed' }
/** Also without login. */
const EVERYONE = { anonymous: 'ok', rest: 'ok' }

const { clientKey, serverKey } = await deriveKeys(PASSWORD, SALT, 4096)
const verifier = { salt: SALT, iterations: 4096, storedKey: storedKey(clientKey), serverKey }
const keys = { storedKey: verifier.storedKey, serverKey }
const clientFirst = (user: string) => `p=noise-h,,n=${user},r=abcdefghijklmnopqrstuvwx`

/** Every message type needs a row: a new one without it fails. */
const MATRIX: Record<string, Row> = {
  ping: row(nothing, EVERYONE),
  query_protocol: row(nothing, EVERYONE),
  query_status: row(nothing, ADMIN),
  query_plugins: row(nothing, ADMIN),
  query_metrics: row(nothing, ADMIN),
  add_hook: row(
    ({ me: user }) => ({ user, url: 'http://10.0.0.1/', kinds: '', reply: false, to: [] }),
    { admin: 'hook_url', rest: 'not_allowed' },
    ({ other: user }) => ({ user, url: 'http://10.0.0.1/', kinds: '', reply: false, to: [] }),
    { admin: 'hook_url', rest: 'not_allowed' },
  ),
  query_hooks: row(nothing, ADMIN),
  change_hook: row(() => ({ hook: 1, change: 'remove' }), HOOKS),
  rotate_hook: row(() => ({ hook: 1 }), HOOKS),
  redeliver: row(() => ({ hook: 1 }), HOOKS),
  query_failed_events: row(() => ({ hook: 1 }), HOOKS),
  new_salt: row(() => ({ clientSalt: Buffer.alloc(16, 7) }), EVERYONE),
  register: row(({ me: user }) => ({ user, ...keys }), { anonymous: 'no_salt', rest: 'not_allowed' }),
  // A password change starts with it too.
  login: row(
    ({ me: user }) => ({ clientFirst: clientFirst(user) }),
    EVERYONE,
    ({ other: user }) => ({ clientFirst: clientFirst(user) }),
  ),
  login_proof: row(() => ({ clientFinal: 'c=biws,r=x,p=eA==' }), { anonymous: 'login_failed', rest: 'not_allowed' }),
  change_password: row(() => ({ clientFinal: 'c=biws,r=x,p=eA==', ...keys }), 'login_failed'),
  logout: row(nothing, EVERYONE),
  send_message: row(
    ({ me: to }) => ({ to, ...text }),
    'ok',
    ({ other: to }) => ({ to, ...text }),
    WRITERS,
  ),
  typing: row(
    ({ me: to }) => ({ to }),
    'ok',
    ({ other: to }) => ({ to }),
    { friend: 'ok', admin: 'ok', blocked: 'blocked', rest: 'not_friends' },
  ),
  open_stream: row(
    ({ me: to }) => ({ to }),
    'ok',
    ({ other: to }) => ({ to }),
    WRITERS,
  ),
  stream_delta: row(() => ({ stream: 1, at: 0, text: 'hi' }), 'no_stream'),
  close_stream: row(() => ({ stream: 1 }), 'no_stream'),
  discard_stream: row(() => ({ stream: 1 }), 'no_stream'),
  follow_streams: row(nothing, 'ok'),
  add_device: row(() => ({ name: 'phone', publicKey: Buffer.alloc(65) }), 'invalid_value'),
  login_device: row(() => ({ user: 'nobody', device: 1, signature: Buffer.alloc(64) }), {
    anonymous: 'login_failed',
    rest: 'not_allowed',
  }),
  query_devices: row(nothing, 'ok'),
  create_incoming_hook: row(
    ({ me: to }) => ({ name: 'ci', to }),
    'ok',
    ({ group }) => ({ name: 'ci', group }),
    MEMBERS,
  ),
  query_incoming_hooks: row(nothing, 'ok'),
  revoke_incoming_hook: row(() => ({ id: 1_000_000 }), 'no_incoming_hook'),
  report_agent_call: row(() => ({ agent: 'a', tool: 'send', outcome: 'ok', ms: 1 }), 'ok'),
  create_token: row(() => ({ name: 'deploy', send: true, read: false, manage: false }), 'ok'),
  query_tokens: row(nothing, 'ok'),
  revoke_token: row(() => ({ id: 1_000_000 }), 'no_token'),
  revoke_device: row(() => ({ device: 1 }), 'no_device'),
  set_profile: row(() => ({ about: 'hi' }), 'ok'),
  query_profiles: row(
    ({ me: user }) => ({ users: [{ user }] }),
    'ok',
    ({ other: user }) => ({ users: [{ user }] }),
  ),
  acknowledge: row(
    ({ me: from }) => ({ from, upTo: 1 }),
    'ok',
    ({ other: from }) => ({ from, upTo: 1 }),
  ),
  query_inbox: row(nothing, 'ok'),
  sync: row(nothing, 'ok'),
  query_read_positions: row(nothing, 'ok'),
  query_history: row(
    ({ me: name }) => ({ with: name }),
    'ok',
    ({ other: name }) => ({ with: name }),
  ),
  receive: row(
    ({ me: from }) => ({ from }),
    'ok',
    ({ other: from }) => ({ from }),
  ),
  recall_message: row(
    ({ ownMessage: id }) => ({ id }),
    'ok',
    ({ othersMessage: id }) => ({ id }),
    'no_message',
  ),
  edit_message: row(
    ({ ownMessage: id }) => ({ id, text: 'new' }),
    WRITERS,
    ({ othersMessage: id }) => ({ id, text: 'new' }),
    'no_message',
  ),
  react: row(
    ({ ownMessage: id }) => ({ id, emoji: '👍' }),
    WRITERS,
    ({ othersMessage: id }) => ({ id, emoji: '👍' }),
  ),
  query_reactions: row(
    ({ ownMessage: id }) => ({ ids: [{ id }] }),
    'ok',
    ({ othersMessage: id }) => ({ ids: [{ id }] }),
  ),
  begin_upload: row(() => ({ name: 'x', size: 1, clientId: 'x' }), 'ok'),
  upload_chunk: row(() => ({ upload: 1_000_000, offset: 0, data: Buffer.alloc(1) }), 'no_upload'),
  finish_upload: row(() => ({ upload: 1_000_000, sha256: Buffer.alloc(32) }), 'no_upload'),
  read_file: row(
    ({ ownFile: file }) => ({ file }),
    'ok',
    ({ othersFile: file }) => ({ file }),
    'no_file',
  ),
  query_file: row(
    ({ ownFile: file }) => ({ file }),
    'ok',
    ({ othersFile: file }) => ({ file }),
    'no_file',
  ),
  query_files: row(nothing, 'ok', othersGroup(), MEMBERS),
  delete_file: row(
    ({ ownFile: file }) => ({ file }),
    'ok',
    ({ othersFile: file }) => ({ file }),
    'no_file',
  ),
  query_usage: row(nothing, 'ok'),
  files_gc: row(() => ({ dryRun: true }), ADMIN),
  verify_files: row(nothing, ADMIN),
  query_file_quotas: row(nothing, ADMIN),
  search_messages: row(ownGroup(text), 'ok', othersGroup(text), MEMBERS),
  friend_list: row(nothing, 'ok'),
  add_friend: row(me, 'yourself', other, { friend: 'already_friends', blocked: 'blocked', rest: 'ok' }),
  confirm_friend_request: row(
    ({ me: user }) => ({ user, accept: true }),
    'no_request',
    ({ other: user }) => ({ user, accept: true }),
  ),
  delete_friend: row(me, 'not_friends', other, { friend: 'ok', rest: 'not_friends' }),
  query_friend_requests: row(nothing, 'ok'),
  block_user: row(me, 'yourself', other, 'ok'),
  unblock_user: row(me, 'not_blocked', other),
  query_blocked_users: row(nothing, 'ok'),
  query_contacts: row(nothing, 'ok'),
  create_room: row(({ me: name }) => ({ group: `new of ${name}` }), 'ok', othersGroup(), 'group_exists'),
  join_room: row(ownGroup(), 'already_member', othersGroup(), {
    member: 'already_member',
    'group admin': 'already_member',
    'group owner': 'already_member',
    rest: 'ok',
  }),
  leave_room: row(ownGroup(), 'owner_must_stay', othersGroup(), { ...MEMBERS, 'group owner': 'owner_must_stay' }),
  query_room_users: row(ownGroup(), 'ok', othersGroup(), MEMBERS),
  query_rooms: row(nothing, 'ok'),
  invite_to_room: row(
    (world) => ({ group: world.ownGroup, user: world.third }),
    'ok',
    (world) => ({ group: world.group, user: world.third }),
    MANAGERS,
  ),
  query_invitations: row(nothing, 'ok'),
  decline_invitation: row(ownGroup(), 'not_invited', othersGroup()),
  kick_from_room: row(
    (world) => ({ group: world.ownGroup, user: world.other }),
    'not_member',
    (world) => ({ group: world.group, user: world.other }),
    OWNER,
  ),
  set_room_role: row(
    (world) => ({ group: world.ownGroup, user: world.other, role: 'admin' }),
    'not_member',
    (world) => ({ group: world.group, user: world.other, role: 'admin' }),
    OWNER,
  ),
  rename_room: row(
    (world) => ({ group: world.ownGroup, name: `${world.me} renamed` }),
    'ok',
    (world) => ({ group: world.group, name: `${world.me} renamed` }),
    MANAGERS,
  ),
  dissolve_room: row(ownGroup(), 'ok', othersGroup(), OWNER),
  chatroom_message: row(ownGroup(text), 'ok', othersGroup(text), MEMBERS),
  acknowledge_room: row(ownGroup({ upTo: 1 }), 'ok', othersGroup({ upTo: 1 }), MEMBERS),
  query_room_history: row(ownGroup(), 'ok', othersGroup(), MEMBERS),
  once: row(
    ({ me: to }) => ({ key: 'k', request: encode(SendMessage, 0, { to, ...text }) }),
    'ok',
    ({ other: to }) => ({ key: 'l', request: encode(SendMessage, 0, { to, ...text }) }),
    WRITERS,
  ),
  consume: row(() => ({ consumer: 'c' }), 'ok'),
  acknowledge_event: row(() => ({ consumer: 'none', id: 1 }), 'no_consumer'),
  move_consumer: row(() => ({ consumer: 'c', after: 0 }), 'ok'),
  query_consumers: row(nothing, 'ok'),
  delete_consumer: row(() => ({ consumer: 'none' }), 'no_consumer'),
  query_state: row(() => ({ consumer: 'none', key: 'k' }), 'no_consumer'),
  schedule_message: row(
    ownGroup({ ...text, delay: 3_600_000 }),
    'ok',
    othersGroup({ ...text, delay: 3_600_000 }),
    MEMBERS,
  ),
  query_scheduled: row(nothing, 'ok'),
  cancel_scheduled: row(() => ({ id: 1_000_000 }), 'no_scheduled'),
  tap: row(nothing, { anonymous: 'not_allowed', rest: 'not_allowed' }),
  act_as: row(me, { anonymous: 'not_allowed', rest: 'not_allowed' }, other),
  query_users: row(nothing, ADMIN),
  create_user: row(
    ({ me: user }) => ({ user, ...verifier }),
    { admin: 'username_taken', rest: 'not_allowed' },
    ({ me: name }) => ({ user: `${name}.new`, ...verifier }),
    ADMIN,
  ),
  set_user_active: row(
    ({ me: user }) => ({ user, active: true }),
    ADMIN,
    ({ other: user }) => ({ user, active: false }),
  ),
  // It ends the own session, perhaps before the reply: covered by another test.
  set_user_password: row(
    ({ third: user }) => ({ user, ...verifier }),
    ADMIN,
    ({ other: user }) => ({
      user,
      ...verifier,
    }),
  ),
  kick_user: row(({ third: user }) => ({ user }), ADMIN, other),
  broadcast: row(
    ({ me: to }) => ({ to, ...text }),
    ADMIN,
    ({ other: to }) => ({ to, ...text }),
  ),
}

const requests = BUILT_IN_MESSAGES.filter((message): message is ClientMessage => message.from === 'client')

/** Users and groups of one cell of the table, inserted with old timestamps. */
async function makeWorld(db: Awaited<ReturnType<typeof openDatabase>>, cell: string, relation: Relation) {
  const now = Date.now()
  const password = formatVerifier(verifierOf({ clientKey, serverKey }, SALT, 4096))
  const user = async (name: string, role = 'user') => {
    const id = await tables.insertUser(db, { username: name, password, nickname: name, role })
    return id ?? Promise.reject(new Error(`${name} is there already`))
  }
  const [mine, theirs] = [await user(`me${cell}`, relation === 'admin' ? 'admin' : 'user'), await user(`other${cell}`)]
  await user(`third${cell}`)
  const group = async (name: string, ownerId: number) => {
    const made = await tables.insertGroup(db, { name, ownerId, isOpen: true, allHistory: false, now })
    return 'id' in made ? { id: made.id, name } : Promise.reject(new Error(made.conflict))
  }
  const enter = (userId: number) =>
    tables.joinGroup(db, shared, userId, { now, groupMembers: 1000, groupsPerUser: 1000 })
  const isOwner = relation === 'group owner'
  const shared = await group(`group${cell}`, isOwner ? mine : theirs)
  await group(`own${cell}`, mine)
  if (isOwner) await enter(theirs)
  if (relation === 'friend') await tables.befriend(db, mine, theirs, now)
  if (relation === 'blocked') await tables.block(db, theirs, mine, now)
  if (['member', 'ex-member', 'group admin'].includes(relation)) await enter(mine)
  if (relation === 'ex-member') await tables.leaveGroup(db, shared, mine)
  if (relation === 'group admin') await tables.setGroupRole(db, shared, { id: theirs }, mine, 'admin')
  const writer = await tables.MessageWriter.open(db, (error) => {
    throw error
  })
  const message = async (from: number, to: number) => {
    const plain = { font: '', font_size: 0, hops: 0, color: '', send_time: now, msg: 'hi', msg_type: 1, reply_to: 0 }
    const { NO_FILE: file } = tables
    return (
      await writer.store({
        ...plain,
        file,
        checkedUpTo: tables.UNCHECKED,
        user_id: from,
        target_id: to,
        client_id: `${cell} ${from}`,
      })
    ).id
  }
  const [ownMessage, othersMessage] = [await message(mine, theirs), await message(theirs, mine)]
  await writer.close()
  const file = async (owner_id: number) => {
    const about = { owner_id, client_id: 'f', name: 'f', size: 1, part: 'f', created_at: now }
    const begun = await tables.beginUpload(db, about, { uploads: 9, userBytes: 9, serverBytes: 1e6, freeBytes: 9 })
    if ('conflict' in begun) throw new Error(begun.conflict)
    const facts = { type: 'text/plain', width: 0, height: 0, thumbhash: '', preview: '', preview_size: 0 }
    const stored = { size: 1, state: tables.FILE_STATE.ready, content: CONTENT_KEY, ...facts }
    await tables.finishUpload(db, begun.id, stored, now)
    return begun.id
  }
  const [ownFile, othersFile] = [await file(mine), await file(theirs)]
  return {
    me: `me${cell}`,
    other: `other${cell}`,
    third: `third${cell}`,
    group: `group${cell}`,
    ownGroup: `own${cell}`,
    ownMessage,
    othersMessage,
    ownFile,
    othersFile,
  }
}

async function enter(server: LocalServer, relation: Relation, world: World): Promise<Client> {
  const client = await server.connect()
  if (relation !== 'anonymous') await client.login(world.me, { password: PASSWORD })
  return client
}

test('every message type has a row in the table, and every row a message type', (t) => {
  t.deepEqual(Object.keys(MATRIX).sort(), requests.map(({ name }) => name).sort())
})

for (const relation of RELATIONS) {
  test.serial(`permissions of ${relation}, on own and on other users’ objects`, async (t) => {
    const server = await startLocalServer(t, { pluginOptions: { friends: {} } })
    const db = await openDatabase(server.db ?? `${server.data}/chat.db`)
    t.teardown(() => db.destroy())
    const folder = join(server.data, 'files', CONTENT_KEY.slice(0, 2))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, CONTENT_KEY.slice(2)), 'x')
    for (const message of requests) {
      const entry = MATRIX[message.name] as Row
      for (const whose of ['own', 'others'] as const) {
        const world = await makeWorld(db, `${message.type}${whose}`, relation)
        const client = await enter(server, relation, world)
        const outcome = await client.request(message, entry[whose](world) as never).then(
          () => 'ok',
          (error: { failure?: string; message: string }) => error.failure ?? error.message,
        )
        const expected = entry[whose === 'own' ? 'ownOutcome' : 'othersOutcome']
        t.is(outcome, expected[relation] ?? expected.rest, `${message.name} by ${relation}, ${whose}`)
        await client.close()
      }
    }
  })
}
