import type { Catalogue, Message } from '../../core/wire/index.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { printable } from '../output/printable.ts'

export const protocol = defineCommand({
  command: 'protocol [type]',
  describe: 'Show the catalogue of message types: fields, who may send them, what answers them',
  examples: [
    ['$0 protocol', 'all built-in types'],
    ['$0 protocol send_message', 'one of them, with its fields'],
    ['$0 protocol --openapi', 'the HTTP API, for generators of clients'],
    ['$0 protocol --live --data ./room -o json', 'those of a running server, its plugins included'],
  ],
  builder: (args) =>
    args.positional('type', { type: 'string', describe: 'name or number of one type' }).options({
      live: { type: 'boolean', describe: 'ask the running server of --data' },
      openapi: { type: 'boolean', describe: 'the HTTP API as a document of OpenAPI 3.1' },
      ...SERVER_FOLDER,
    }),
  needsDataFolder: ({ live }) => live === true,
  async run({ type, live, openapi }, shared) {
    const { toEntry } = await import('../../core/wire/index.ts')
    const known = await catalogue(live ?? false, shared)
    if (openapi === true) {
      const { openApi } = await import('../../plugins/api/openapi.ts')
      return shared.output.write(`${JSON.stringify(openApi(known), null, 2)}\n`)
    }
    const messages = [...known]
    if (type !== undefined) {
      const found = messages.find((message) => message.name === type || String(message.type) === type)
      if (found === undefined) throw new CliError('usage', `there is no message "${type}"`, 'see `chatctl protocol`')
      return showOne(found)
    }
    return shared.output.list(messages.map(toEntry), [
      { title: 'type', value: (entry) => entry.type },
      { title: 'name', value: (entry) => entry.name },
      { title: 'from', value: (entry) => entry.from },
      { title: 'allowed', value: (entry) => entry.allow },
      { title: 'reply', value: (entry) => (entry.from === 'client' ? (entry.reply ?? 'done') : '') },
      { title: 'fields', value: (entry) => entry.fields.map(({ name }) => name).join(' ') },
    ])

    async function showOne(message: Message) {
      if (shared.output.isJson) return shared.output.item(toEntry(message), [])
      const { messageSection } = await import('../output/protocol-tables.ts')
      return shared.output.write(`${printable(messageSection(message))}\n\n${LIMITS_NOTE}\n`)
    }
  },
})

const LIMITS_NOTE =
  'These are the bounds of the protocol. A server may take less: `limits.text` is 16384 bytes unless it is set otherwise.'

async function catalogue(live: boolean, shared: Shared): Promise<Catalogue> {
  const { BUILT_IN_MESSAGES, Catalogue } = await import('../../client/index.ts')
  if (!live) return new Catalogue(BUILT_IN_MESSAGES)
  const { asOperator } = await import('../client/sessions.ts')
  return asOperator(shared, (client) => client.learn())
}
