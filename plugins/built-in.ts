import type { AnyPlugin } from '../core/index.ts'
import { accounts } from './accounts/index.ts'
import { admin } from './admin/index.ts'
import { consumers } from './consumers/index.ts'
import { contacts } from './contacts/index.ts'
import { friends } from './friends/index.ts'
import { groups } from './groups/index.ts'
import { idempotency } from './idempotency/index.ts'
import { legacy } from './legacy/index.ts'
import { login } from './login/index.ts'
import { privateMessages } from './messages/index.ts'
import { registration } from './registration/index.ts'
import { schedule } from './schedule/index.ts'
import { system } from './system/index.ts'
import { tap } from './tap/index.ts'

export {
  accounts,
  admin,
  consumers,
  contacts,
  friends,
  groups,
  idempotency,
  legacy,
  login,
  privateMessages,
  registration,
  schedule,
  system,
  tap,
}

/** The features that a server has unless told otherwise. */
export const BUILT_IN: readonly AnyPlugin[] = [
  accounts,
  registration,
  login,
  privateMessages,
  friends,
  groups,
  contacts,
  consumers,
  idempotency,
  system,
  schedule,
  admin,
  tap,
]

/** All features that come with the server: those, and what it has only where it is told to. */
export const SHIPPED: readonly AnyPlugin[] = [...BUILT_IN, legacy]
