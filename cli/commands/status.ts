import { asOperator } from '../sessions.ts'
import { defineCommand, ROOM } from '../shared.ts'

interface Status extends Record<string, unknown> {
  readonly plugins: readonly { name: string; state: string; reason: string }[]
}

export const status = defineCommand({
  command: 'status',
  describe: 'Show how a running server does',
  examples: [['$0 status --data ./room -o json', 'exit 3 when none runs there']],
  builder: (args) => args.options(ROOM),
  async run(_args, shared) {
    const { QueryStatus } = await import('../../core/wire/index.ts')
    const { json } = await asOperator(shared, (client) => client.request(QueryStatus, {}))
    const status: Status = JSON.parse(json)
    const values = Object.keys(status).filter((name) => name !== 'plugins')
    await shared.output.item(status, [
      ...values.map((name) => ({ title: name, value: (record: Status) => String(record[name]) })),
      {
        title: 'plugins',
        value: ({ plugins }: Status) =>
          plugins
            .map(({ name, state, reason }) => (state === 'ok' ? name : `${name} (${state}: ${reason})`))
            .join(', '),
      },
    ])
  },
})
