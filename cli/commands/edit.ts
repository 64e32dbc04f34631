import { asUser } from '../client/sessions.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { STDIN } from '../input/marks.ts'
import { toMessageId } from '../input/message-id.ts'
import { readText } from '../input/stdin.ts'

export const edit = defineCommand({
  command: 'edit <id> <text>',
  describe: 'Give a message of your own a new text, for all who can read it',
  examples: [
    ['$0 edit 120 "see you at ten"', 'by the id that `send` printed'],
    ['./report | $0 edit 120 -', 'the new text from stdin'],
    ['$0 edit 120 "fixed" --as alice', 'on the server’s machine, without a password'],
  ],
  builder: (args) =>
    args
      .positional('id', { type: 'string', demandOption: true, describe: 'id of the message' })
      .positional('text', { type: 'string', demandOption: true, describe: 'the new text; - reads stdin' })
      .options(WHO),
  async run({ id: word, text }, shared) {
    const id = toMessageId(word)
    const body = text === STDIN ? await readText() : text
    if (body === '') throw new CliError('usage', 'the text is empty', '`chatctl recall ID` deletes a message')
    await asUser(shared, (client) => client.edit(id, body))
    await shared.output.item({ id, done: 'edited' }, [{ title: 'edited', value: (record) => record.id }])
  },
})
