import type { Client, ValuesOf } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'

type Entry = ValuesOf<typeof import('../../plugins/schedule/messages.ts').ScheduledList>['messages'][number]

const messages = () => import('../../plugins/schedule/messages.ts')

async function allScheduled(client: Client, all: boolean): Promise<Entry[]> {
  const { QueryScheduled } = await messages()
  const found: Entry[] = []
  for (let more = true; more; ) {
    const page = await client.request(QueryScheduled, { after: found.at(-1)?.id ?? 0, all, limit: 100 })
    found.push(...page.messages)
    more = page.more
  }
  return found
}

const list = defineCommand({
  command: 'list',
  describe: 'List your scheduled messages',
  examples: [
    ['$0 scheduled list', 'what waits'],
    [
      '$0 scheduled list --all -o ndjson',
      'also what was sent, failed (with the reason) or cancelled in the last 30 days',
    ],
  ],
  builder: (args) =>
    args.options({
      ...WHO,
      all: { type: 'boolean', default: false, describe: 'also those that were sent, failed or cancelled' },
    }),
  async run({ all }, shared) {
    const found = await asUser(shared, (client) => allScheduled(client, all))
    const records = found.map(({ id, to, group, at, messageId, ...rest }) => ({
      id,
      ...(group ? { group } : { to }),
      at: new Date(at),
      ...rest,
      ...(messageId > 0 && { messageId }),
    }))
    const { colors } = shared.output
    await shared.output.list(
      records,
      [
        { title: 'id', value: ({ id }) => id },
        { title: 'at', value: ({ at }) => at },
        { title: 'to', value: (record) => ('group' in record ? record.group : record.to) },
        {
          title: 'state',
          value: ({ state }) => state,
          color: ({ state }) => (state === 'failed' ? colors.red : undefined),
        },
        // The text of a sent one is kept with the message only.
        {
          title: 'text',
          value: ({ text, messageId }) => (text === '' && messageId ? `is message ${messageId}` : text),
        },
        { title: 'reason', value: ({ reason }) => reason },
      ],
      'no scheduled messages',
    )
  },
})

const cancel = defineCommand({
  command: 'cancel <id>',
  describe: 'Cancel a scheduled message',
  examples: [['$0 scheduled cancel 7', 'by the id that `send --at` printed and `scheduled list` shows']],
  builder: (args) =>
    args.positional('id', { type: 'string', demandOption: true, describe: 'id of the scheduled message' }).options(WHO),
  async run({ id: word }, shared) {
    const id = Number(word)
    if (!/^\d+$/.test(word) || id > 0xffffffff)
      throw new CliError('usage', `"${word}" is no id of a scheduled message`, 'see `chatctl scheduled list`')
    const { CancelScheduled } = await messages()
    await asUser(shared, (client) => client.request(CancelScheduled, { id }))
    await shared.output.item({ id, done: 'cancelled' }, [{ title: 'cancelled', value: (record) => record.id }])
  },
})

export const scheduled = defineGroup(
  'scheduled',
  'Messages of `send --at` and `send --delay`',
  [
    ['$0 send bob "stand-up" --at 09:30', 'makes one, and prints its id'],
    ['$0 scheduled list', 'what waits'],
    ['$0 scheduled cancel 7', 'takes it back'],
  ],
  [list, cancel],
)
