import type { ClientErrorCode } from '../../client/errors.ts'

/** Hints on the next step, by error code of the client library. */
export const CLIENT_HINTS: Readonly<Partial<Record<ClientErrorCode, string>>> = {
  unreachable: 'is the server running? Start one with `chatctl serve`, or name another with --server HOST:PORT',
  key_changed:
    'someone may be in the middle. If the server really has a new key, compare it with what `chatctl serve` prints, ' +
    'then run `chatctl context forget SERVER` and log in again',
  protocol: 'is that the port of a chatctl server?',
  weak_server:
    'a server that poses as another one could try passwords cheaply. If it is yours, give its key, as `chatctl serve` ' +
    'prints it, with --pin SHA256:…',
  authentication: 'log in again with `chatctl login NAME`',
  timed_out: 'wait longer with --timeout 1m; on the server’s machine `chatctl doctor` looks for what is wrong',
  lost: 'run it again; with the same --id `chatctl send` stores a message once',
}

/** Hints on the next step, by failure name (docs/PROTOCOL.md). None if the text itself says what to change. */
export const FAILURE_HINTS: Readonly<Record<string, string>> = {
  not_allowed:
    '`chatctl protocol TYPE` shows who may send it; on the server’s machine the operator may, with --as NAME',
  unknown_type: '`chatctl protocol --live` lists what this server knows',
  rate_limited: 'wait a moment, then run it again',
  shutting_down: 'run it again when the server is back',
  internal: 'run it again; the server’s log has the reason',
  unavailable: 'run it again later; on the server’s machine `chatctl doctor` looks at its database',
  login_failed: 'check name and password; a kept login is renewed with `chatctl login NAME`',
  account_disabled: 'the operator enables it with `chatctl users enable NAME`',
  too_many_attempts: 'wait, then check the password; the operator sets a new one with `chatctl users passwd NAME`',
  logged_out: 'another login of this account may have changed its password or ended its sessions',
  kicked: '`chatctl login NAME` logs in again',
  too_many_sessions: 'end another one; those whose connection was lost end by themselves after a while',
  username_taken: 'choose another name, or log in with `chatctl login NAME`',
  registration_closed: 'the operator makes accounts with `chatctl users create NAME`',
  user_not_exist: 'look at the spelling; `chatctl contacts` lists who you know',
  already_friends: '`chatctl friends list` shows your friends',
  already_requested: '`chatctl friends requests` shows what waits for an answer',
  no_request: '`chatctl friends requests` shows what waits for an answer; ask with `chatctl friends add NAME`',
  not_friends: 'ask to be friends with `chatctl friends add NAME`; the other one accepts',
  not_blocked: '`chatctl friends blocked` lists whom you have blocked',
  group_not_exist: 'look at the spelling; `chatctl groups list` shows the groups you are in',
  group_exists: 'choose another name, or join it with `chatctl groups join GROUP`',
  not_member: 'join with `chatctl groups join GROUP`; `chatctl groups members GROUP` lists members',
  already_member: '`chatctl groups members GROUP` lists members',
  not_invited: 'ask a member to run `chatctl groups invite GROUP NAME`',
  owner_must_stay: '`chatctl groups role GROUP NAME owner` hands it over, `chatctl groups dissolve GROUP` ends it',
  role_too_low: '`chatctl groups members GROUP` shows who has which role; ask the owner or an admin',
  client_id_reused: 'leave out --id, or choose another one',
  no_message: '`chatctl history NAME` shows the ids of messages; only their sender edits and recalls them',
  not_editable: '`chatctl recall ID` deletes it; then send it again',
  no_file: 'it may have been deleted, or its message recalled; `chatctl files list --with NAME` lists what is there',
  no_upload: 'run it again',
  file_too_large: 'send it in parts: `split -b 90M FILE`; the operator sets the limit `fileSize`',
  quota_exceeded:
    '`chatctl files list` and `chatctl files delete ID` make room; the operator sets the limit `fileQuota`',
  no_space: 'run it again later; the operator makes room on the disk of the server',
  file_held: 'run it again in a moment',
  file_differs: 'the file was changed while it was sent: run it again',
  store_unavailable: 'run it again later',
  no_scheduled: '`chatctl scheduled list --all` shows yours, also those that were sent or cancelled',
  outcome_unknown: 'look whether it was done before you run it again',
}

/** Of a bot whose place another process has taken. */
export const CONSUMER_TAKEN = 'started again, it would take it back; --consumer NAME gives this one a place of its own'
