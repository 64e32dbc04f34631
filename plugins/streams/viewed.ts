import type { User, UserSession } from '../../core/index.ts'
import type { GrowingText } from './growing-text.ts'
import type { Target } from './targets.ts'

/** A stream as its view sees it. */
export interface Viewed {
  readonly id: number
  readonly user: User
  readonly target: Omit<Target, 'key'>
  readonly hops: number
  readonly replyTo: number
  readonly text: GrowingText
  /** Session of the sender, which is shown nothing. */
  readonly session: UserSession | undefined
}
