import type { ClientMessage } from '../../core/wire/index.ts'
import { asOperator, asUser } from '../client/sessions.ts'
import { notEmpty } from '../definition/coerce.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { readFields, toJson } from '../input/field-values.ts'
import { printableJson } from '../output/printable.ts'

export const inject = defineCommand({
  command: 'inject <type> [fields..]',
  describe: 'Send any message type by its fields and print the reply; also types of plugins',
  examples: [
    ["$0 inject send_message to=bob text='by its fields'", 'as the selected login'],
    ['$0 inject --as alice query_inbox all=true -o json', 'as the operator, in the name of alice'],
    ['$0 inject --data ./room query_status', 'as the operator'],
    ['$0 inject create_room group=ops --key setup-1', 'run again, it does nothing and prints the same reply'],
    ['$0 protocol --live', 'which types there are'],
  ],
  builder: (args) =>
    args
      .positional('type', { type: 'string', demandOption: true, describe: 'name or number of the message type' })
      .positional('fields', { type: 'string', array: true, default: [], describe: 'FIELD=VALUE; FIELD:=JSON' })
      .options({
        ...WHO,
        key: {
          type: 'string',
          describe: 'your own idempotency key: a request is carried out once for each key',
          coerce: notEmpty('key'),
        },
      }),
  async run({ type, fields, key }, shared) {
    // A data folder without --as: a message of the operator.
    const act = shared.as === undefined && shared.dataWasGiven ? asOperator : asUser
    await act(shared, async (client) => {
      const catalogue = await client.learn()
      const message = catalogue.byName(type) ?? catalogue.byType(Number(type))
      if (message === undefined)
        throw new CliError('usage', `this server knows no message "${type}"`, 'see `chatctl protocol --live`')
      if (message.from === 'server')
        throw new CliError(
          'usage',
          `${message.name} is sent by the server only`,
          `\`chatctl listen --type ${message.name}\` prints it`,
        )
      const request: ClientMessage = message
      const values = await client.request(request, readFields(message, fields) as never, {
        ...(key !== undefined && { key }),
      })
      const record = {
        type: message.reply?.name ?? 'done',
        ...Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, toJson(value)])),
      }
      await shared.output.item(record, [
        { title: 'reply', value: (reply) => reply.type },
        { title: 'values', value: ({ type: _type, ...rest }) => printableJson(rest) },
      ])
    })
  },
})
