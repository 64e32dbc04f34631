import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  client_id_reused: { code: 41, text: 'the client id was used for a different message' },
  no_message: { code: 42, text: 'there is no such message' },
  no_file: { code: 73, text: 'there is no such file' },
  bot_loop: { code: 67, text: 'bots have answered each other too many times in a row' },
})
