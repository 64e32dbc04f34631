import { defineCommand } from '../definition/command.ts'
import { confirm, DATABASE_OPTIONS, holdDatabase, YES } from '../operator/database.ts'
import { dataPaths } from '../server/paths.ts'

export const restore = defineCommand({
  command: 'restore <file>',
  describe:
    'Put a backup made by `db backup` in the place of the database, which is kept under another name. Keys and settings ' +
    'are not part of it: server.key, server.secret and the config file are copied back by hand where they were lost',
  examples: [
    ['$0 db restore room.db --data ./room', 'SQLite; while no server runs on it'],
    ['$0 db restore room.sql --yes', 'MySQL, from CHATCTL_DB; needs the program mariadb or mysql'],
  ],
  builder: (args) =>
    args
      .positional('file', { type: 'string', demandOption: true, describe: 'a backup' })
      .options({ config: DATABASE_OPTIONS.config, data: DATABASE_OPTIONS.data, db: DATABASE_OPTIONS.db, ...YES }),
  async run({ file, yes, ...flags }, shared) {
    const { readConfig } = await import('../config/server-config.ts')
    const {
      inspectBackup,
      isDatabaseUrl,
      openDatabase,
      restore: run,
      withoutPassword,
    } = await import('../../db/index.ts')
    const { makeFolder } = await import('../server/data-folder.ts')
    const { explained } = await import('../errors/explained.ts')
    const { config } = await readConfig(flags)
    const where = config.db || dataPaths(config.data).database
    const shown = isDatabaseUrl(where) ? withoutPassword(where) : where
    // The folder may be lost, too.
    if (config.db === '') await makeFolder(config.data)
    const hold = await holdDatabase(config.data, where)
    try {
      const backup = await inspectBackup(file, where)
      const held = backup.messages === undefined ? '' : ` (${backup.accounts} accounts, ${backup.messages} messages)`
      await confirm(yes, `this puts ${file}${held} in the place of ${shown}, which is kept under another name`)
      const aside = await explained(`cannot restore ${shown}`, () => run(file, where, () => openDatabase(where)))
      await shared.output.item({ restored: shown, from: file, ...backup, setAside: aside ?? null }, [
        { title: 'restored', value: ({ restored }) => restored },
        { title: 'from', value: ({ from }) => from },
        {
          title: 'the database before it',
          value: ({ setAside }) => {
            if (setAside === null) return 'there was none'
            return isDatabaseUrl(where) ? `its tables now begin with ${setAside}` : setAside
          },
        },
      ])
    } finally {
      await hold.release()
    }
  },
})
