import { requireDatabase } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import { confirm, DATABASE_OPTIONS, withDatabase, YES } from '../operator/database.ts'
import { dataPaths } from '../server/paths.ts'
import { adopt } from './db-adopt.ts'
import { restore } from './db-restore.ts'

const status = defineCommand({
  command: 'status',
  describe: 'Show which migrations have run and which have not',
  examples: [['$0 db status --data ./room -o json', '']],
  builder: (args) => args.options(DATABASE_OPTIONS),
  async run(flags, shared) {
    const { migrationState } = await import('../../db/migrate.ts')
    await withDatabase(flags, { exclusive: false }, async ({ db, migrations, where }) => {
      const state = await migrationState(db, migrations)
      await shared.output.item({ database: where, upToDate: isUpToDate(state), ...state }, [
        { title: 'database', value: ({ database }) => database },
        {
          title: 'state',
          value: ({ upToDate, pending, newer, cutShort }) => {
            if (newer.length > 0) return 'of a newer version: this one must not use it'
            if (cutShort !== undefined) return `half done: run \`chatctl db ${cutShort}\` again`
            return upToDate ? 'up to date' : `${pending.length} migration(s) to run`
          },
        },
        { title: 'done', value: ({ done }) => done.join(', ') },
        { title: 'pending', value: ({ pending }) => pending.join(', ') || '-' },
        { title: 'of plugins not loaded', value: ({ unknown }) => unknown.join(', ') || '-' },
        { title: 'of a newer version', value: ({ newer }) => newer.join(', ') || '-' },
      ])
    })
  },
})

const isUpToDate = ({ pending, newer, cutShort }: import('../../db/index.ts').MigrationState) =>
  pending.length === 0 && newer.length === 0 && cutShort === undefined

const migrate = defineCommand({
  command: 'migrate',
  describe: 'Bring the schema up to date, or go on with what was cut short',
  examples: [['$0 db migrate --data ./room', 'while no server runs on it']],
  builder: (args) =>
    args.options({
      ...DATABASE_OPTIONS,
      resume: {
        type: 'boolean',
        describe: 'MySQL: go on with a half migration that an older version has left without a trace',
      },
    }),
  async run({ resume = false, ...flags }, shared) {
    const { migrate: run } = await import('../../db/migrate.ts')
    const ran = await withDatabase(flags, { exclusive: true }, ({ db, migrations }) => run(db, migrations, { resume }))
    await shared.output.item({ migrated: ran }, [
      { title: 'migrated', value: ({ migrated }) => migrated.join(', ') || 'nothing to do' },
    ])
  },
})

const rollback = defineCommand({
  command: 'rollback',
  describe: 'Undo the last batch of migrations; what their columns and tables held is lost',
  examples: [
    ['$0 db rollback --data ./room', 'says what it would undo, and asks'],
    ['$0 db rollback --data ./room --plugin ./polls.ts --yes', 'the tables of a plugin that was added last'],
  ],
  builder: (args) =>
    args.options({
      ...DATABASE_OPTIONS,
      ...YES,
      all: {
        type: 'boolean',
        describe: 'also where that deletes accounts, messages or other rows of the server itself',
      },
    }),
  async run({ yes, all = false, ...flags }, shared) {
    const { lastBatch, rollback: run } = await import('../../db/migrate.ts')
    const { lossesOf } = await import('../../db/losses.ts')
    const undone = await withDatabase(flags, { exclusive: true }, async ({ db, migrations, where }) => {
      const losses = await lossesOf(db, await lastBatch(db, migrations))
      if (losses.length === 0) return []
      const list = losses.map(
        ({ migration, about, rows }) => `${migration} (${about}${rows > 0 ? `: ${rows} rows` : ''})`,
      )
      const what = `this undoes ${losses.length} migration(s) of ${where} and deletes what they hold: ${list.join(', ')}`
      if (!all && losses.some(({ rows }) => rows > 0))
        throw new CliError('usage', what, 'make a backup, then say --all if that is what you want')
      await confirm(yes, what)
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
  builder: (args) => args.options({ ...DATABASE_OPTIONS, ...YES }),
  async run({ yes, ...flags }, shared) {
    const { rm } = await import('node:fs/promises')
    const { isDatabaseUrl, rollbackAll } = await import('../../db/index.ts')
    const dropped = await withDatabase(flags, { exclusive: true }, async ({ db, where, migrations }) => {
      await confirm(yes, `this deletes all accounts and messages in ${where}`)
      if (isDatabaseUrl(where)) await rollbackAll(db, migrations)
      else {
        await db.destroy()
        for (const part of [where, `${where}-wal`, `${where}-shm`]) await rm(part, { force: true })
      }
      return where
    })
    await shared.output.item({ dropped }, [{ title: 'deleted', value: (record) => record.dropped }])
  },
})

const backup = defineCommand({
  command: 'backup <file>',
  describe:
    'Write all of the database, as it is at one moment, to a new file; the server may run on. `db restore` brings it ' +
    'back. To a whole backup also belong server.key and server.secret of the data folder, and your config file',
  examples: [
    ['$0 db backup room.db --data ./room', 'SQLite: a database file'],
    ['$0 db backup room.sql', 'MySQL, from CHATCTL_DB: SQL, made by mariadb-dump'],
  ],
  builder: (args) =>
    args
      .positional('file', { type: 'string', demandOption: true, describe: 'must not exist yet' })
      .options({ config: DATABASE_OPTIONS.config, data: DATABASE_OPTIONS.data, db: DATABASE_OPTIONS.db }),
  async run({ file, ...flags }, shared) {
    const { readConfig } = await import('../config/server-config.ts')
    const { backUp, withoutPassword } = await import('../../db/index.ts')
    const { stat } = await import('node:fs/promises')
    const { config: settings } = await readConfig(flags)
    if (settings.db === '') requireDatabase(settings.data)
    const where = settings.db || dataPaths(settings.data).database
    await backUp(where, file)
    const record = { database: settings.db ? withoutPassword(where) : where, file, bytes: (await stat(file)).size }
    await shared.output.item(record, [
      { title: 'written', value: (written) => written.file },
      { title: 'bytes', value: (written) => written.bytes },
    ])
  },
})

const seed = defineCommand({
  command: 'seed',
  describe:
    'Add sample users (alice, bob, carol; password "password"), friends, a group and messages; again changes nothing',
  examples: [['$0 db seed --data ./room', 'for trying things out, never for a real server']],
  builder: (args) => args.options({ config: DATABASE_OPTIONS.config, data: DATABASE_OPTIONS.data }),
  async run(_flags, shared) {
    const { seedServer } = await import('../operator/seed.ts')
    const result = await seedServer(shared)
    await shared.output.item(result, [
      { title: 'users made', value: ({ users }) => users.join(', ') || 'none, they were there' },
      { title: 'friendships', value: ({ friendships }) => friendships },
      { title: 'groups made', value: ({ groups }) => groups.join(', ') || 'none, they were there' },
      { title: 'messages stored', value: ({ messages }) => messages },
    ])
  },
})

export const db = defineGroup(
  'db',
  'The database of a server',
  [
    ['$0 db backup room.db --data ./room', 'while the server runs'],
    ['$0 db restore room.db --data ./room', 'when it is stopped'],
    ['$0 db migrate --data ./room', 'after an update of chatctl'],
  ],
  [status, migrate, rollback, backup, restore, adopt, seed, drop],
)
