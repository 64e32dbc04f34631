export {
  type AdoptionReport,
  type AdoptOptions,
  adopt,
  adoptionReport,
  checkAdoption,
  isHalfAdopted,
} from './adopt/index.ts'
export { backUp } from './backup.ts'
export { ChangeFeed, type Follower } from './change-feed.ts'
export type { OnCommit } from './commit-timing.ts'
export { ConsumerLost, ConsumerWriter } from './consumer-writer.ts'
export {
  type ConsumerRow,
  consumersOf,
  findConsumer,
  insertConsumer,
  lastIdBefore,
  type StateUsage,
  type StoredConsumer,
} from './consumers.ts'
export {
  type GroupState,
  groupStates,
  type LastMessage,
  lastMessages,
} from './contacts.ts'
export {
  type InboxQuery,
  messagesTo,
  positionsWith,
  privateIds,
} from './correspondence.ts'
export { type DatabaseLock, type LockOptions, lockFile } from './database-lock.ts'
export { databaseTime } from './database-time.ts'
export { withoutPassword } from './database-url.ts'
export {
  type DeviceRow,
  devicesOf,
  findDevice,
  insertDevice,
  type NewDeviceRow,
  revokeDevice,
  revokedDevices,
  useDevice,
} from './devices.ts'
export { editMessage, firstTextOf } from './edits.ts'
export { type EndpointOptions, Endpoints } from './endpoints.ts'
export { DatabaseError, DatabaseInUse } from './errors.ts'
export {
  type Expiry,
  expireFile,
  newestFile,
  unusedContents,
  unusedFiles,
  wantedParts,
} from './file-expiry.ts'
export {
  beginUpload,
  completeFiles,
  deleteFile,
  FILE_STATE,
  type FileRow,
  type FileUsage,
  type FinishedFile,
  factsOf,
  fileMessages,
  filesByIds,
  filesOf,
  fileUsage,
  findFile,
  findFileFacts,
  finishUpload,
  heldFiles,
  type NewUpload,
  readableFile,
  releaseFile,
  type UploadConflict,
  type UploadLimits,
  usageByOwner,
  useFile,
} from './files.ts'
export {
  answerRequest,
  befriend,
  block,
  blockedBy,
  type FriendConflict,
  type FriendLimits,
  type FriendRow,
  friendsOf,
  type RequestRow,
  requestFriend,
  requestsOf,
  unblock,
  unfriend,
} from './friends.ts'
export {
  countStart,
  isSameService,
  newestMessage,
  type Remembered,
  readEpoch,
  renewEpoch,
} from './generation.ts'
export {
  dissolveGroup,
  insertGroup,
  type NewGroup,
  renameGroup,
} from './group-changes.ts'
export {
  declineInvitation,
  type InvitationRow,
  invitationsTo,
  inviteToGroup,
  joinGroup,
  kickFromGroup,
  leaveGroup,
  setGroupRole,
} from './group-membership.ts'
export type { Actor, ChangedGroup, GroupConflict, GroupKey, GroupOutcome } from './group-transaction.ts'
export {
  findGroup,
  findGroupById,
  type GroupMessageRow,
  type GroupQuery,
  type GroupRow,
  groupHistory,
  groupMessageIds,
  groupMessagesTo,
  groupNameOf,
  groupPositions,
  groupsOf,
  groupsSeen,
  hasMembership,
  type MemberRow,
  type Membership,
  membersOf,
  type SeenBy,
} from './groups.ts'
export {
  allHooks,
  claimHooks,
  countDeadLetters,
  deadLetters,
  deleteHookAttempt,
  findHook,
  type HookAttemptRow,
  type HookChange,
  type HookRow,
  hookAttempts,
  insertHook,
  lastReason,
  type NewHookRow,
  passHook,
  removeHook,
  saveHookAttempt,
  updateHook,
} from './hooks.ts'
export {
  findIncomingHook,
  type IncomingHookRow,
  incomingHooksOf,
  insertIncomingHook,
  revokeIncomingHook,
  useIncomingHook,
} from './incoming-hooks.ts'
export { loadOf, poolOf } from './load.ts'
export { headOf, type LogEntry, type NumberedEntry } from './log.ts'
export { LogFeed, type LogFeedParts, type MessageRouter } from './log-feed.ts'
export {
  contentColumns,
  contentOf,
  type FileFacts,
  fileOf,
  type MessageColumns,
  type MessageContent,
  type MessageRow,
  type NewMessageRow,
  NO_FILE,
  newRow,
  plainContent,
  type StoredRow,
  type TextForm,
  textForm,
} from './message-columns.ts'
export type { Read, Stored } from './message-store.ts'
export { MessageWriter } from './message-writer.ts'
export {
  conversation,
  findMessage,
  type HistoryPart,
  hasClientId,
  MSG_TYPE,
  messagesByIds,
  messagesInLog,
  sendTimeOf,
  withReadState,
} from './messages.ts'
export {
  isUnused,
  lastBatch,
  type MigrationState,
  type Migrations,
  migrate,
  migrationState,
  refuseNewer,
  rollback,
  rollbackAll,
  UNFINISHED_ROLLBACK,
} from './migrate.ts'
export { endpointOf } from './mysql.ts'
export { lockMysql } from './mysql-lock.ts'
export {
  type ClusterIdentity,
  clusterIdentity,
  LEASE_MS,
  livingNodes,
  type NewNode,
  type NodeRow,
  Nodes,
  setClusterIdentity,
} from './nodes.ts'
export { isDatabaseUrl, openDatabase } from './open.ts'
export { type Check, Outdated, UNCHECKED } from './outdated.ts'
export { type Owned, ownedByNodes } from './owned.ts'
export { ping } from './ping.ts'
export { findProfiles, type ProfileRow, profileTimes, saveProfile } from './profiles.ts'
export {
  countReactions,
  type Reaction,
  type ReactionConflict,
  type ReactionCount,
  type ReactionState,
  reactionStateOf,
  setReaction,
} from './reactions.ts'
export { deleteMessage, type MessageChange, messageChangesFor } from './recalls.ts'
export {
  deleteOldestRequestKeys,
  deleteRequestKey,
  deleteRequestKeysBefore,
  findRequestKey,
  insertRequestKey,
  type RequestKeyRow,
  type RequestKeyUsage,
  requestKeyUsage,
  setReply,
} from './request-keys.ts'
export { inspectBackup, restore } from './restore.ts'
export { isHalfRestored } from './restore-mysql.ts'
export { finishRestore } from './restore-sqlite.ts'
export type { Part } from './scan.ts'
export {
  cancelScheduled,
  findScheduled,
  forgetScheduled,
  insertScheduled,
  type NewScheduledRow,
  nextScheduled,
  resumeScheduled,
  type ScheduledRow,
  scheduledOf,
  settleScheduled,
  takeDue,
} from './scheduled.ts'
export { imageOf, openInMemory } from './sqlite.ts'
export { checkAfterCrash, checkLog, fileNumber, oneLine } from './sqlite-file.ts'
export {
  findToken,
  insertToken,
  type NewTokenRow,
  revokeToken,
  type TokenRow,
  tokensOf,
  useToken,
} from './tokens.ts'
export { isInDoubt, isUnavailable } from './transaction.ts'
export { TurnBudget } from './turn.ts'
export { MAX_COUNTED, type Unread, unreadByGroup, unreadBySender } from './unread.ts'
export {
  findUsers,
  findUsersById,
  insertUser,
  listUsers,
  passwordSamples,
  type UserRow,
  updateUser,
} from './users.ts'
export { checkShareable } from './visibility.ts'
export { type MessageJob, OutcomePending } from './writer-jobs.ts'
