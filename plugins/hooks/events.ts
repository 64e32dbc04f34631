import { defineEvent } from '../../core/index.ts'

/** An attempt to deliver an event has ended, and its outcome is stored. */
export const HookAttempted = defineEvent<{
  readonly hook: number
  /** Id of the message. */
  readonly id: number
  /** `dead`: failed, and given up; `dropped`: recalled meanwhile. */
  readonly outcome: 'delivered' | 'dropped' | 'failed' | 'dead' | 'disabled' | 'postponed'
}>('hooks.attempted')
