import { defineCommand, defineGroup } from '../definition/command.ts'
import { SERVE_OPTIONS } from '../definition/serve-options.ts'

const show = defineCommand({
  command: 'show',
  describe: 'Show the settings that `serve` would run with',
  examples: [['$0 config show --origin', 'and where each comes from']],
  builder: (args) =>
    args.options({
      ...SERVE_OPTIONS,
      origin: { type: 'boolean', describe: 'where each value came from' },
    }),
  async run(args, { output }) {
    const { readConfig } = await import('../config/server-config.ts')
    const { withoutPassword } = await import('../../db/index.ts')
    const { config: settings, origin } = await readConfig(args, { here: true })
    const db = settings.db && withoutPassword(settings.db)
    const config = { ...settings, db, cluster: settings.cluster.map(withoutLogin) }
    if (output.isJson && !args.origin) return output.item(config, [])
    const rows = Object.entries(config).map(([setting, value]) => ({
      setting,
      value,
      origin: origin[setting as keyof typeof origin],
    }))
    return output.list(rows, [
      { title: 'setting', value: (row) => row.setting },
      { title: 'value', value: (row) => (typeof row.value === 'object' ? JSON.stringify(row.value) : row.value) },
      ...(args.origin ? [{ title: 'from', value: (row: (typeof rows)[number]) => row.origin }] : []),
    ])
  },
})

/** A URL of NATS without user, password or token. */
function withoutLogin(text: string): string {
  if (!URL.canParse(text)) return text
  const url = new URL(text)
  url.username = ''
  url.password = ''
  return url.href
}

export const config = defineGroup(
  'config',
  'Settings of a server',
  [['$0 config show --origin', 'the settings in force, and where each comes from']],
  [show],
)
