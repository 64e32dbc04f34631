import { asOperator, asUser } from '../client/sessions.ts'
import { notEmpty, ownId } from '../definition/coerce.ts'
import { defineCommand } from '../definition/command.ts'
import { OPTIONS, SERVER_FOLDER } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { STDIN } from '../input/marks.ts'
import { readText } from '../input/stdin.ts'

export const broadcast = defineCommand({
  command: 'broadcast [text]',
  describe: 'Send a system message to every account, as the operator or an admin; prints how many it is stored for',
  examples: [
    ['$0 broadcast "down from 6 to 7"', 'on the server’s machine; users who are offline get it at their next login'],
    ['$0 broadcast - < news.txt', 'stdin as one message'],
    ['$0 broadcast --to bob "your disk is full"', 'to one user'],
    ['$0 broadcast --context root "hello"', 'from anywhere, as an admin who is logged in'],
    ['$0 broadcast --id news-1 "hello" -o json', 'sent again with that id, only users without it get it'],
  ],
  builder: (args) =>
    args.positional('text', { type: 'string', describe: 'the text; - reads stdin' }).options({
      context: { ...OPTIONS.context, describe: 'act as the login of an admin kept under this name' },
      ...SERVER_FOLDER,
      to: { type: 'string', describe: 'only to this user', coerce: notEmpty('to') },
      id: {
        type: 'string',
        describe: 'your own id of the message: sent again with it, no user gets it twice',
        coerce: ownId('id'),
      },
    }),
  needsDataFolder: ({ context }) => (context ?? process.env.CHATCTL_CONTEXT ?? '') === '',
  async run({ text, to, id = '' }, shared) {
    if (text === undefined && process.stdin.isTTY) throw new CliError('usage', 'no text', 'give it, or - to read stdin')
    const body = text === STDIN || text === undefined ? await readText() : text
    if (body === '') throw new CliError('usage', 'the text is empty')
    const { Broadcast } = await import('../../plugins/system/messages.ts')
    // The selected login is not the default here: operators are seldom admins of their own server.
    const enter = shared.context === undefined ? asOperator : asUser
    const { recipients } = await enter(shared, (client) =>
      client.request(Broadcast, { text: body, clientId: id, ...(to !== undefined && { to }) }),
    )
    await shared.output.item(
      { recipients, to },
      [
        { title: 'to', value: (sent) => sent.to ?? 'everyone' },
        { title: 'recipients', value: (sent) => sent.recipients },
      ],
      { title: 'recipients', value: (sent) => sent.recipients },
    )
  },
})
