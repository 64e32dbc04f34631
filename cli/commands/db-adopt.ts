import { dirname } from 'node:path'
import type { AdoptionReport } from '../../db/index.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import { DATABASE_OPTIONS, type Hold, holdDatabase } from '../operator/database.ts'
import { dataPaths } from '../server/paths.ts'

export const adopt = defineCommand({
  command: 'adopt [url]',
  describe: 'Take over the MySQL database of the original Python chat room: a copy of it, or where it is',
  examples: [
    ['$0 db adopt mysql://root:secret@127.0.0.1/chatroom --dry-run', 'what would be taken, merged and refused'],
    ['$0 db adopt mysql://root:secret@127.0.0.1/chatroom --data ./room', 'a copy, into SQLite'],
    ['$0 db adopt --in-place', 'the database of CHATCTL_DB itself; make a backup first'],
    ['$0 db adopt -o json | jq .findings', 'from CHATCTL_ADOPT_URL, hidden from other users of the machine'],
  ],
  builder: (args) =>
    args
      .positional('url', { type: 'string', describe: 'mysql://USER:PASSWORD@HOST:PORT/NAME of the original' })
      .options({
        config: DATABASE_OPTIONS.config,
        data: DATABASE_OPTIONS.data,
        db: DATABASE_OPTIONS.db,
        'in-place': { type: 'boolean', describe: 'adopt the database where it is, without a copy' },
        'dry-run': { type: 'boolean', describe: 'say what would happen, and change nothing' },
        'time-zone': {
          type: 'string',
          describe:
            'of datetime columns, as +08:00; default the database server’s. The original’s timestamps need none',
        },
      }),
  async run({ url: asked, inPlace = false, dryRun = false, timeZone, ...flags }, shared) {
    const { readConfig } = await import('../config/server-config.ts')
    const { adoptDatabase, parseTimeZone } = await import('../operator/adopt.ts')
    const { config } = await readConfig(flags)
    const url = asked ?? (process.env.CHATCTL_ADOPT_URL || (inPlace ? config.db : ''))
    if (url === '') throw new CliError('usage', 'which database? Name it, or set CHATCTL_ADOPT_URL')
    const where = inPlace ? url : config.db || dataPaths(config.data).database
    const iterations = (config.options.registration as { iterations?: number } | undefined)?.iterations
    const zone = parseTimeZone(timeZone)
    const { signal } = shared
    const goOn = () => shared.output.note('stopping after this page; the same command goes on from there')
    if (!dryRun) signal.addEventListener('abort', goOn, { once: true })
    const hold = dryRun ? undefined : await holdTarget(config.data, where)
    let report: AdoptionReport
    try {
      const own = hold?.connectionId
      report = await adoptDatabase({ url, where, dryRun, timeZone: zone, iterations, signal, own })
    } finally {
      await hold?.release()
    }
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

/** A file to fill may be the first thing in its folder. */
async function holdTarget(data: string, where: string): Promise<Hold> {
  const { isDatabaseUrl } = await import('../../db/index.ts')
  const { makeFolder } = await import('../server/data-folder.ts')
  if (!isDatabaseUrl(where)) await makeFolder(dirname(where))
  return holdDatabase(data, where)
}
