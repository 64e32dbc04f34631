import type { AnyPlugin } from '../core/index.ts'
import { accounts } from './accounts/index.ts'
import { admin } from './admin/index.ts'
import { api } from './api/index.ts'
import { changes } from './changes/index.ts'
import { consumers } from './consumers/index.ts'
import { contacts } from './contacts/index.ts'
import { devices } from './devices/index.ts'
import { edits } from './edits/index.ts'
import { files } from './files/index.ts'
import { friends } from './friends/index.ts'
import { groups } from './groups/index.ts'
import { hooks } from './hooks/index.ts'
import { idempotency } from './idempotency/index.ts'
import { incoming } from './incoming/index.ts'
import { legacy } from './legacy/index.ts'
import { login } from './login/index.ts'
import { mcp } from './mcp/index.ts'
import { privateMessages } from './messages/index.ts'
import { metrics } from './metrics/index.ts'
import { page } from './page/index.ts'
import { profiles } from './profiles/index.ts'
import { reactions } from './reactions/index.ts'
import { registration } from './registration/index.ts'
import { schedule } from './schedule/index.ts'
import { streams } from './streams/index.ts'
import { system } from './system/index.ts'
import { tap } from './tap/index.ts'
import { tokens } from './tokens/index.ts'
import { typing } from './typing/index.ts'

export { type Access, bearerOf } from './tokens/index.ts'
export {
  accounts,
  admin,
  api,
  changes,
  consumers,
  contacts,
  devices,
  edits,
  files,
  friends,
  groups,
  hooks,
  idempotency,
  incoming,
  legacy,
  login,
  mcp,
  metrics,
  page,
  privateMessages,
  profiles,
  reactions,
  registration,
  schedule,
  streams,
  system,
  tap,
  tokens,
  typing,
}

/** Features of a server by default. */
export const BUILT_IN: readonly AnyPlugin[] = [
  changes,
  accounts,
  registration,
  login,
  devices,
  privateMessages,
  friends,
  groups,
  profiles,
  edits,
  reactions,
  files,
  contacts,
  consumers,
  idempotency,
  system,
  schedule,
  hooks,
  admin,
  tap,
  metrics,
  page,
  typing,
  streams,
  tokens,
  api,
  mcp,
  incoming,
]

/** All built-in features: the default ones and those that must be enabled. */
export const SHIPPED: readonly AnyPlugin[] = [...BUILT_IN, legacy]
