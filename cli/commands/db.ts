import { readConfig, SERVE_OPTIONS, type ServeFlags } from '../config.ts'
import { CliError } from '../exit.ts'
import { isRunning } from '../sessions.ts'
import { defineCommand, defineGroup, type Shared } from '../shared.ts'

const OPTIONS = { config: SERVE_OPTIONS.config, data: SERVE_OPTIONS.data, plugin: SERVE_OPTIONS.plugin } as const

type Database = Awaited<ReturnType<typeof import('../../db/open.ts').openDatabase>>
type Migrations = import('../../db/migrate.ts').Migrations

/** Opens the database of a data folder, with the migrations of the plugins it is used with. */
async function withDatabase<T>(
  flags: ServeFlags,
  act: (db: Database, migrations: Migrations, file: string) => Promise<T>,
): Promise<T> {
  const { config } = await readConfig(flags)
  const { loadPlugin } = await import('../../core/plugin-loader.ts')
  const { openDatabase } = await import('../../db/open.ts')
  const { pluginMigrations } = await import('../room.ts')
  const { roomPaths } = await import('../paths.ts')
  const { existsSync } = await import('node:fs')
  const file = roomPaths(config.data).database
  if (!existsSync(file))
    throw new CliError(
      'failed',
      `there is no database in ${config.data}`,
      '`chatctl serve` makes one; or name the folder with --data',
    )
  const plugins = await Promise.all(config.plugins.map((specifier) => loadPlugin(specifier, process.cwd())))
  const db = await openDatabase(file)
  try {
    return await act(db, pluginMigrations(plugins), file)
  } finally {
    await db.destroy()
  }
}

async function refuseWhileRunning(shared: Shared) {
  if (await isRunning(shared))
    throw new CliError(
      'refused',
      `a server runs on ${shared.data}`,
      'stop it first: it must not lose its tables under way',
    )
}

const status = defineCommand({
  command: 'status',
  describe: 'Show which migrations have run and which have not',
  examples: [['$0 db status --data ./room -o json', '']],
  builder: (args) => args.options(OPTIONS),
  async run(flags, { output }) {
    const { migrationState } = await import('../../db/migrate.ts')
    await withDatabase(flags, async (db, plugins, file) => {
      const state = await migrationState(db, plugins)
      await output.item({ database: file, upToDate: state.pending.length === 0, ...state }, [
        { title: 'database', value: ({ database }) => database },
        {
          title: 'state',
          value: ({ upToDate, pending }) => (upToDate ? 'up to date' : `${pending.length} migration(s) to run`),
        },
        { title: 'done', value: ({ done }) => done.join(', ') },
        { title: 'pending', value: ({ pending }) => pending.join(', ') || '-' },
        { title: 'of plugins not loaded', value: ({ unknown }) => unknown.join(', ') || '-' },
      ])
    })
  },
})

const migrate = defineCommand({
  command: 'migrate',
  describe: 'Bring the schema up to date',
  examples: [['$0 db migrate --data ./room', 'while no server runs on it']],
  builder: (args) => args.options(OPTIONS),
  async run(flags, shared) {
    await refuseWhileRunning(shared)
    const { migrate: run } = await import('../../db/migrate.ts')
    const ran = await withDatabase(flags, (db, plugins) => run(db, plugins))
    await shared.output.item({ migrated: ran }, [
      { title: 'migrated', value: ({ migrated }) => migrated.join(', ') || 'nothing to do' },
    ])
  },
})

const rollback = defineCommand({
  command: 'rollback',
  describe: 'Undo the last batch of migrations; what their columns and tables held is lost',
  examples: [['$0 db rollback --data ./room --yes', '']],
  builder: (args) => args.options({ ...OPTIONS, yes: { type: 'boolean', describe: 'do it without asking' } }),
  async run({ yes, ...flags }, shared) {
    await refuseWhileRunning(shared)
    await confirm(yes, 'Undo the last batch of migrations?')
    const { rollback: run } = await import('../../db/migrate.ts')
    const undone = await withDatabase(flags, (db, plugins) => run(db, plugins))
    await shared.output.item({ undone }, [
      { title: 'undone', value: ({ undone }) => undone.join(', ') || 'nothing to undo' },
    ])
  },
})

const drop = defineCommand({
  command: 'drop',
  describe: 'Delete the database: all accounts and messages. The server’s key stays',
  examples: [['$0 db drop --data ./room --yes', '']],
  builder: (args) => args.options({ ...OPTIONS, yes: { type: 'boolean', describe: 'do it without asking' } }),
  async run({ yes, ...flags }, shared) {
    await refuseWhileRunning(shared)
    const { rm } = await import('node:fs/promises')
    const file = await withDatabase(flags, async (_db, _plugins, path) => path)
    await confirm(yes, `Delete ${file} with all accounts and messages?`)
    for (const part of [file, `${file}-wal`, `${file}-shm`]) await rm(part, { force: true })
    await shared.output.item({ dropped: file }, [{ title: 'deleted', value: ({ dropped }) => dropped }])
  },
})

const seed = defineCommand({
  command: 'seed',
  describe: 'Add sample users (alice, bob, carol; password "password") who have talked; again changes nothing',
  examples: [['$0 db seed --data ./room', 'for trying things out, never for a real server']],
  builder: (args) => args.options({ data: OPTIONS.data }),
  async run(_flags, shared) {
    const { seedRoom } = await import('../seed.ts')
    const result = await seedRoom(shared)
    await shared.output.item(result, [
      { title: 'users made', value: ({ users }) => users.join(', ') || 'none, they were there' },
      { title: 'messages stored', value: ({ messages }) => messages },
    ])
  },
})

async function confirm(yes: boolean | undefined, question: string) {
  if (yes) return
  if (!process.stdin.isTTY) throw new CliError('usage', 'this deletes data', 'say --yes to do it')
  const { confirm: ask } = await import('@clack/prompts')
  if ((await ask({ message: question, initialValue: false, output: process.stderr })) !== true)
    throw new CliError('interrupted', 'nothing was changed')
}

export const db = defineGroup('db', 'The database of a server', [status, migrate, rollback, seed, drop])
