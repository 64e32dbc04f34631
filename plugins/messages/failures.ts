import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  client_id_reused: { code: 41, text: 'another message was sent with this client id' },
  no_message: { code: 42, text: 'there is no such message of yours' },
  bot_loop: { code: 67, text: 'bots have answered each other too often' },
})
