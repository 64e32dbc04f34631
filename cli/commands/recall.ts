import { asUser } from '../client/sessions.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { toMessageId } from '../input/message-id.ts'

export const recall = defineCommand({
  command: 'recall <id>',
  describe: 'Recall a message of your own: it is deleted for all, also where it was read',
  examples: [
    ['$0 recall 120', 'by the id that `send` printed'],
    ['$0 recall 120 --as alice', 'on the server’s machine, without a password'],
  ],
  builder: (args) =>
    args.positional('id', { type: 'string', demandOption: true, describe: 'id of the message' }).options(WHO),
  async run({ id: word }, shared) {
    const id = toMessageId(word)
    await asUser(shared, (client) => client.recall(id))
    await shared.output.item({ id, done: 'recalled' }, [{ title: 'recalled', value: (record) => record.id }])
  },
})
