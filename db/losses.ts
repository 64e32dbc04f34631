import type { Knex } from 'knex'
import type { MIGRATIONS } from './migrations/index.ts'

/** Data that is lost when a built-in migration is rolled back: a description, and the tables whose rows are counted. */
const LOSSES: Readonly<Record<keyof typeof MIGRATIONS, readonly [about: string, ...tables: string[]]>> = {
  '0001_original_tables': [
    'all accounts, friendships, groups and messages',
    ...['userinfo', 'userfriend', 'chatroom', 'chatroom_user', 'chatmsg'],
  ],
  '0002_accounts_and_delivery': ['the roles of accounts, ids and styles of messages', 'userinfo', 'chatmsg'],
  '0003_blocks': ['blocks between users', 'userblock'],
  '0004_groups': ['roles, read positions and the order of messages in groups', 'chatroom', 'chatroom_user'],
  '0005_correspondence': ['nothing: read positions move back into the messages'],
  '0006_bots': [
    'cursors and state of bots, idempotency keys of requests',
    ...['consumer', 'consumer_state', 'request_key'],
  ],
  '0007_scheduled': ['scheduled messages', 'scheduled'],
  '0008_database': ['the generation of the database'],
  '0009_invitations_and_names': [
    'the inviting users of invitations; names of dissolved groups that other groups have now',
  ],
  '0010_state_usage': ['nothing: the state of consumers is counted again'],
  '0011_scheduled_done': ['nothing: an index'],
  '0012_request_key_oldest': ['nothing: an index'],
  '0013_kicked_members': ['which users were kicked from groups: they may join open ones again'],
  '0014_log': ['the order of recalls and other changes among messages', 'change_log'],
  '0015_profiles': ['the profiles of users', 'profile'],
  '0016_replies_edits_reactions': [
    'which messages are replies, times of edits, texts before edits, reactions',
    ...['message_extra', 'message_former_text', 'message_reaction'],
  ],
  '0017_devices': ['the keys of devices: they must be added again', 'device'],
  '0018_closed_requests': ['nothing: index ranges'],
  '0019_membership_indexes': ['nothing: indexes'],
  '0020_avatar_pictures': ['avatars that are pictures'],
  '0021_files': ['which files there are, and which messages carry them', 'stored_file'],
  '0022_nodes': ['which nodes the cluster has, and whose key it has: all nodes must be stopped'],
  '0023_tokens': ['the tokens of users: they must be made again', 'api_token'],
  '0024_incoming_hooks': ['the incoming hooks of users: they must be made again', 'incoming_hook'],
  '0025_hooks': ['the outgoing webhooks, and what they have not delivered', 'hook', 'hook_attempt'],
  '0026_owners': ['nothing: which server works on what'],
  '0028_correspondence_order': ['nothing: indexes'],
}

/** Data that is lost by rolling back one migration. */
export interface Loss {
  readonly migration: string
  readonly about: string
  /** Affected rows of built-in tables; rows of a plugin's tables are not counted. */
  readonly rows: number
}

/** Data that is lost by rolling back these migrations. */
export async function lossesOf(db: Knex, migrations: readonly string[]): Promise<Loss[]> {
  const rowsOf = async (table: string) => {
    if (!(await db.schema.hasTable(table))) return 0
    const [row] = await db(table).count({ rows: '*' })
    return Number(row?.rows)
  }
  const losses: Loss[] = []
  for (const migration of migrations) {
    const [plugin] = migration.split('/')
    const [about, ...tables] = LOSSES[migration as keyof typeof MIGRATIONS] ?? [`data of the plugin ${plugin}`]
    let rows = 0
    for (const table of tables) rows += await rowsOf(table)
    losses.push({ migration, about, rows })
  }
  return losses
}
