import { defineEvent } from '../../core/index.ts'

export const TokenRevoked = defineEvent<{ readonly id: number }>('tokens.revoked', { scope: 'cluster' })
