import { stat } from 'node:fs/promises'
import { contextNames, currentContext } from '../contexts.ts'
import type { ExitName } from '../exit.ts'
import { roomPaths } from '../paths.ts'
import { asUser, isRunning } from '../sessions.ts'
import { defineCommand, OPTIONS, ROOM, type Shared } from '../shared.ts'

interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped'
  readonly detail: string
}

const finding = (check: string, state: Finding['state'], detail: string): Finding => ({ check, state, detail })

export const doctor = defineCommand({
  command: 'doctor',
  describe: 'Look for what may be wrong with this machine, a data folder and your login; exit 1 if anything is',
  examples: [['$0 doctor --data ./room', '']],
  builder: (args) => args.options({ ...ROOM, context: OPTIONS.context }),
  async run(_args, shared): Promise<ExitName> {
    const findings = [
      checkNode(),
      ...(await checkFiles(shared)),
      ...(await checkDatabase(shared)),
      await checkServer(shared),
      await checkLogin(shared),
    ]
    const { red, yellow, green } = shared.output.colors
    const colors = { ok: green, warning: yellow, failed: red, skipped: undefined }
    await shared.output.list(findings, [
      { title: 'check', value: ({ check }) => check },
      { title: 'state', value: ({ state }) => state, color: ({ state }) => colors[state] },
      { title: 'detail', value: ({ detail }) => detail },
    ])
    return findings.some(({ state }) => state === 'failed') ? 'failed' : 'ok'
  },
})

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const enough = major > 20 || (major === 20 && minor >= 19)
  return finding('node', enough ? 'ok' : 'failed', `${process.version}${enough ? '' : ', needs 20.19 or later'}`)
}

/** Keys and messages must be readable by their owner only. */
async function checkFiles({ data }: Shared): Promise<Finding[]> {
  const paths = roomPaths(data)
  const files = [data, paths.key, paths.secret, paths.database, paths.audit]
  return Promise.all(
    files.map(async (file) => {
      const found = await stat(file).catch(() => undefined)
      if (found === undefined) return finding(file, 'skipped', 'not there (yet)')
      const open = (found.mode & 0o077) !== 0
      return finding(file, open ? 'warning' : 'ok', open ? `others may use it: chmod go= ${file}` : 'only yours')
    }),
  )
}

async function checkDatabase({ data, config: file }: Shared): Promise<Finding[]> {
  const { readConfig } = await import('../config.ts')
  const { config } = await readConfig({ data, config: file })
  const where = config.db || roomPaths(data).database
  if (config.db === '' && (await stat(where).catch(() => undefined)) === undefined) return []
  const { openDatabase } = await import('../../db/open.ts')
  const { migrationState } = await import('../../db/migrate.ts')
  try {
    const db = await openDatabase(where)
    try {
      const check = config.db === '' ? (await db.raw('pragma quick_check(1)'))[0].quick_check : 'ok'
      const { pending } = await migrationState(db)
      return [
        finding('database', check === 'ok' ? 'ok' : 'failed', check),
        finding(
          'schema',
          pending.length === 0 ? 'ok' : 'failed',
          pending.length === 0 ? 'up to date' : 'run `chatctl db migrate`',
        ),
      ]
    } finally {
      await db.destroy()
    }
  } catch (error) {
    return [finding('database', 'failed', (error as Error).message)]
  }
}

async function checkServer(shared: Shared): Promise<Finding> {
  try {
    const running = await isRunning(shared)
    return finding(
      'server',
      running ? 'ok' : 'skipped',
      running ? 'answers on its control socket' : `none runs on ${shared.data}`,
    )
  } catch (error) {
    return finding('server', 'failed', (error as Error).message)
  }
}

async function checkLogin(shared: Shared): Promise<Finding> {
  const name = shared.context ?? (await currentContext())
  if (name === undefined)
    return finding('login', 'skipped', `no context is selected (${(await contextNames()).length} kept)`)
  try {
    await asUser({ ...shared, as: undefined }, async () => {})
    return finding('login', 'ok', `context "${name}" logs in`)
  } catch (error) {
    return finding('login', 'failed', `context "${name}": ${(error as Error).message}`)
  }
}
