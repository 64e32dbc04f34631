import type { ServeFlags } from '../config.ts'
import { CliError } from '../exit.ts'
import { roomPaths } from '../paths.ts'
import { SERVE_OPTIONS } from '../serve-options.ts'
import { refuseWhileRunning, requireDatabase } from '../sessions.ts'
import { defineCommand, defineGroup, type Shared } from '../shared.ts'

const OPTIONS = {
  config: SERVE_OPTIONS.config,
  data: SERVE_OPTIONS.data,
  db: SERVE_OPTIONS.db,
  plugin: SERVE_OPTIONS.plugin,
} as const

type Database = Awaited<ReturnType<typeof import('../../db/open.ts').openDatabase>>
type AdoptionReport = import('../../db/adopt/index.ts').AdoptionReport
type Migrations = import('../../db/migrate.ts').Migrations

interface Opened {
  readonly db: Database
  readonly migrations: Migrations
  /** The file, or the URL without its password. */
  readonly where: string
}

/**
 * Opens the database of a data folder, with the migrations of the plugins it is used with.
 * @param exclusive refuse while a server runs on it: it must not lose its tables under way
 */
async function withDatabase<T>(
  flags: ServeFlags,
  shared: Shared,
  { exclusive }: { exclusive: boolean },
  act: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { readConfig } = await import('../config.ts')
  const { config, pluginFolder } = await readConfig(flags)
  if (exclusive) await refuseWhileRunning({ ...shared, data: config.data })
  const { loadPlugin } = await import('../../core/plugin-loader.ts')
  const { openDatabase, withoutPassword } = await import('../../db/index.ts')
  const { pluginMigrations } = await import('../../plugins/assembly.ts')
  if (config.db === '') requireDatabase(config.data)
  const where = config.db || roomPaths(config.data).database
  const plugins = await Promise.all(config.plugins.map((specifier) => loadPlugin(specifier, pluginFolder)))
  const db = await openDatabase(where)
  try {
    return await act({
      db,
      migrations: pluginMigrations(plugins),
      where: config.db ? withoutPassword(config.db) : where,
    })
  } finally {
    await db.destroy()
  }
}

const status = defineCommand({
  command: 'status',
  describe: 'Show which migrations have run and which have not',
  examples: [['$0 db status --data ./room -o json', '']],
  builder: (args) => args.options(OPTIONS),
  async run(flags, shared) {
    const { migrationState } = await import('../../db/migrate.ts')
    await withDatabase(flags, shared, { exclusive: false }, async ({ db, migrations, where }) => {
      const state = await migrationState(db, migrations)
      await shared.output.item({ database: where, upToDate: state.pending.length === 0, ...state }, [
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
    const { migrate: run } = await import('../../db/migrate.ts')
    const ran = await withDatabase(flags, shared, { exclusive: true }, ({ db, migrations }) => run(db, migrations))
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
    const { rollback: run } = await import('../../db/migrate.ts')
    const undone = await withDatabase(flags, shared, { exclusive: true }, async ({ db, migrations }) => {
      await confirm(yes, 'Undo the last batch of migrations?')
      return run(db, migrations)
    })
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
    const { rm } = await import('node:fs/promises')
    const { isDatabaseUrl, rollbackAll } = await import('../../db/index.ts')
    const dropped = await withDatabase(flags, shared, { exclusive: true }, async ({ db, where, migrations }) => {
      await confirm(yes, `Delete all accounts and messages in ${where}?`)
      if (isDatabaseUrl(where)) await rollbackAll(db, migrations)
      return where
    })
    if (!isDatabaseUrl(dropped))
      for (const part of [dropped, `${dropped}-wal`, `${dropped}-shm`]) await rm(part, { force: true })
    await shared.output.item({ dropped }, [{ title: 'deleted', value: (record) => record.dropped }])
  },
})

const backup = defineCommand({
  command: 'backup <file>',
  describe: 'Write all of the database, as it is at one moment, to a new file; the server may run on',
  examples: [
    ['$0 db backup room.db --data ./room', 'SQLite: a database file, put in place of chat.db to restore it'],
    ['$0 db backup room.sql', 'MySQL, from CHATCTL_DB: SQL, made by mariadb-dump'],
  ],
  builder: (args) =>
    args
      .positional('file', { type: 'string', demandOption: true, describe: 'must not exist yet' })
      .options({ config: OPTIONS.config, data: OPTIONS.data, db: OPTIONS.db }),
  async run({ file, ...flags }, shared) {
    const { readConfig } = await import('../config.ts')
    const { backUp, withoutPassword } = await import('../../db/index.ts')
    const { stat } = await import('node:fs/promises')
    const { config: settings } = await readConfig(flags)
    if (settings.db === '') requireDatabase(settings.data)
    const where = settings.db || roomPaths(settings.data).database
    await backUp(where, file)
    const record = { database: settings.db ? withoutPassword(where) : where, file, bytes: (await stat(file)).size }
    await shared.output.item(record, [
      { title: 'written', value: (written) => written.file },
      { title: 'bytes', value: (written) => written.bytes },
    ])
  },
})

const adopt = defineCommand({
  command: 'adopt [url]',
  describe: 'Take over the MySQL database of the original Python chat room: a copy of it, or where it is',
  examples: [
    ['$0 db adopt mysql://root:secret@127.0.0.1/chatroom --dry-run', 'what would be taken, merged and refused'],
    ['$0 db adopt mysql://root:secret@127.0.0.1/chatroom --data ./room', 'a copy, into SQLite'],
    ['$0 db adopt --in-place', 'the database of CHATCTL_DB itself; make a backup first'],
    ['$0 db adopt -o json | jq .findings', 'from CHATCTL_ADOPT_URL, which nobody else on the machine sees'],
  ],
  builder: (args) =>
    args
      .positional('url', { type: 'string', describe: 'mysql://USER:PASSWORD@HOST:PORT/NAME of the original' })
      .options({
        config: OPTIONS.config,
        data: OPTIONS.data,
        db: OPTIONS.db,
        'in-place': { type: 'boolean', describe: 'adopt the database where it is, without a copy' },
        'dry-run': { type: 'boolean', describe: 'say what would happen, and change nothing' },
        'time-zone': {
          type: 'string',
          describe:
            'of datetime columns, as +08:00; default the database server’s. The original’s timestamps need none',
        },
      }),
  async run({ url: asked, inPlace = false, dryRun = false, timeZone, ...flags }, shared) {
    const { readConfig } = await import('../config.ts')
    const { adoptRoom, parseTimeZone } = await import('../adopt.ts')
    const { config } = await readConfig(flags)
    const url = asked ?? (process.env.CHATCTL_ADOPT_URL || (inPlace ? config.db : ''))
    if (url === '') throw new CliError('usage', 'which database? Name it, or set CHATCTL_ADOPT_URL')
    const where = inPlace ? url : config.db || roomPaths(config.data).database
    if (!dryRun) await refuseWhileRunning({ ...shared, data: config.data })
    const iterations = (config.options.registration as { iterations?: number } | undefined)?.iterations
    const zone = parseTimeZone(timeZone)
    const { signal } = shared
    const goOn = () => shared.output.note('stopping after this page; the same command goes on from there')
    if (!dryRun) signal.addEventListener('abort', goOn, { once: true })
    const report = await adoptRoom({ url, where, dryRun, timeZone: zone, iterations, signal })
    await showAdoption({ dryRun, inPlace: where === url, ...report }, shared)
  },
})

/** Rows named for people, of each kind; the JSON form names more. */
const ROWS_SHOWN = 10

async function showAdoption(report: AdoptionReport & { dryRun: boolean; inPlace: boolean }, { output }: Shared) {
  const counts = report.tables.map(({ table, read, taken, merged, refused, added }) => ({
    title: table,
    value: () => `${read} read, ${taken} taken, ${merged} merged, ${refused} refused, ${added} added`,
  }))
  const kinds = report.findings.map(({ table, outcome, reason, count, rows }) => ({
    title: `${table} ${outcome}`,
    value: () => {
      const shown = rows.slice(0, ROWS_SHOWN).map(({ id, detail }) => (detail ? `${id} (${detail})` : String(id)))
      const more = count > ROWS_SHOWN ? `, and ${count - ROWS_SHOWN} more` : ''
      return `${count}, ${reason}: ${shown.join(', ')}${more}`
    },
  }))
  const state = report.dryRun ? 'nothing was changed' : 'finished'
  await output.item(report, [
    { title: 'from', value: ({ source }) => source },
    { title: 'state', value: ({ isFinished }) => (isFinished ? state : 'unfinished: run it again without --dry-run') },
    ...counts,
    ...kinds,
  ])
  if (report.dryRun) return
  output.note(
    report.inPlace
      ? 'The original’s tables are kept as original_userinfo and so on, without passwords; drop them when you are sure.'
      : 'The original’s database was only read; it still holds its MD5 passwords: drop it when you are sure.',
  )
}

const seed = defineCommand({
  command: 'seed',
  describe:
    'Add sample users (alice, bob, carol; password "password"), friends, a group and messages; again changes nothing',
  examples: [['$0 db seed --data ./room', 'for trying things out, never for a real server']],
  builder: (args) => args.options({ config: OPTIONS.config, data: OPTIONS.data }),
  async run(_flags, shared) {
    const { seedRoom } = await import('../seed.ts')
    const result = await seedRoom(shared)
    await shared.output.item(result, [
      { title: 'users made', value: ({ users }) => users.join(', ') || 'none, they were there' },
      { title: 'friendships', value: ({ friendships }) => friendships },
      { title: 'groups made', value: ({ groups }) => groups.join(', ') || 'none, they were there' },
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

export const db = defineGroup('db', 'The database of a server', [status, migrate, rollback, backup, adopt, seed, drop])
