import type { ReactionCount } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { toMessageId } from '../input/message-id.ts'
import type { Column } from '../output/output.ts'

const COLUMNS: Column<ReactionCount>[] = [
  { title: 'emoji', value: ({ emoji }) => emoji },
  { title: 'count', value: ({ count }) => count },
  { title: 'own', value: ({ own }) => own },
]

export const react = defineCommand({
  command: 'react <id> [emoji]',
  describe: 'React to a message with an emoji, or list its reactions',
  examples: [
    ['$0 react 120 👍', 'the id is in `listen`, `inbox` and `history`'],
    ['$0 react 120 👍 --remove', 'take it back'],
    ['$0 react 120', 'the reactions to it'],
    ['$0 react 120 👀 --as alice', 'on the server’s machine, without a password'],
  ],
  builder: (args) =>
    args
      .positional('id', { type: 'string', demandOption: true, describe: 'id of the message' })
      .positional('emoji', { type: 'string', describe: 'one emoji; left out: list the reactions' })
      .options({ ...WHO, remove: { type: 'boolean', describe: 'remove your reaction' } }),
  async run({ id: word, emoji, remove = false }, shared) {
    const id = toMessageId(word)
    const { output } = shared
    if (emoji === undefined) {
      if (remove) throw new CliError('usage', 'no emoji', '`chatctl react ID EMOJI --remove`')
      const reactions = await asUser(shared, (client) => client.reactions([id]))
      return output.list(reactions, COLUMNS, 'no reactions')
    }
    await asUser(shared, (client) => client.react(id, emoji, { remove }))
    await output.item({ id, emoji, done: remove ? 'removed' : 'reacted' }, [
      { title: remove ? 'removed from' : 'reacted to', value: (record) => record.id },
      { title: 'emoji', value: (record) => record.emoji },
    ])
  },
})
