import * as originalTables from './0001_original_tables.ts'
import * as accountsAndDelivery from './0002_accounts_and_delivery.ts'
import * as blocks from './0003_blocks.ts'
import * as groups from './0004_groups.ts'
import * as correspondence from './0005_correspondence.ts'
import * as bots from './0006_bots.ts'
import * as scheduled from './0007_scheduled.ts'
import * as database from './0008_database.ts'
import * as invitationsAndNames from './0009_invitations_and_names.ts'
import * as stateUsage from './0010_state_usage.ts'
import * as scheduledDone from './0011_scheduled_done.ts'
import * as requestKeyOldest from './0012_request_key_oldest.ts'
import * as kickedMembers from './0013_kicked_members.ts'
import * as log from './0014_log.ts'
import * as profiles from './0015_profiles.ts'
import * as repliesEditsReactions from './0016_replies_edits_reactions.ts'
import * as devices from './0017_devices.ts'
import * as closedRequests from './0018_closed_requests.ts'
import * as membershipIndexes from './0019_membership_indexes.ts'
import * as avatarPictures from './0020_avatar_pictures.ts'
import * as files from './0021_files.ts'
import * as nodes from './0022_nodes.ts'
import * as tokens from './0023_tokens.ts'
import * as incomingHooks from './0024_incoming_hooks.ts'
import * as hooks from './0025_hooks.ts'
import * as owners from './0026_owners.ts'
import * as correspondenceOrder from './0028_correspondence_order.ts'

/** Oldest first. The keys are recorded in the database, so they never change. */
export const MIGRATIONS = {
  '0001_original_tables': originalTables,
  '0002_accounts_and_delivery': accountsAndDelivery,
  '0003_blocks': blocks,
  '0004_groups': groups,
  '0005_correspondence': correspondence,
  '0006_bots': bots,
  '0007_scheduled': scheduled,
  '0008_database': database,
  '0009_invitations_and_names': invitationsAndNames,
  '0010_state_usage': stateUsage,
  '0011_scheduled_done': scheduledDone,
  '0012_request_key_oldest': requestKeyOldest,
  '0013_kicked_members': kickedMembers,
  '0014_log': log,
  '0015_profiles': profiles,
  '0016_replies_edits_reactions': repliesEditsReactions,
  '0017_devices': devices,
  '0018_closed_requests': closedRequests,
  '0019_membership_indexes': membershipIndexes,
  '0020_avatar_pictures': avatarPictures,
  '0021_files': files,
  '0022_nodes': nodes,
  '0023_tokens': tokens,
  '0024_incoming_hooks': incomingHooks,
  '0025_hooks': hooks,
  '0026_owners': owners,
  '0028_correspondence_order': correspondenceOrder,
}

/** Tables that the migrations create in addition to the original's. */
export const NEW_TABLES = [
  'userblock',
  'correspondence',
  'consumer',
  'consumer_state',
  'request_key',
  'scheduled',
  'chatctl_database',
  'head',
  'change_log',
  'profile',
  'device',
  'message_extra',
  'message_former_text',
  'message_reaction',
  'api_token',
  'stored_file',
  'incoming_hook',
  'hook',
  'hook_attempt',
  'cluster',
  'node',
] as const
