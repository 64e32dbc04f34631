import { defineEvent } from '../../core/index.ts'

/** An account was disabled: what acts as its user without a session ends. */
export const AccountDisabled = defineEvent<{ readonly userId: number }>('accounts.disabled', { scope: 'cluster' })
