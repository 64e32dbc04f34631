import { asUser, isRunning } from '../client/sessions.ts'
import { contextNames, currentContext, readContext } from '../config/contexts.ts'
import { knownServer } from '../config/known-servers.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { fromEnvironment } from '../definition/environment.ts'
import { OPTIONS, SERVER_FOLDER } from '../definition/options.ts'
import type { ExitName } from '../errors/exit.ts'
import { checkCluster } from '../operator/cluster-check.ts'
import { checkDataFolder, type Finding, finding } from '../operator/doctor-checks.ts'
import { checkHttp } from '../operator/http-check.ts'

export const doctor = defineCommand({
  command: 'doctor',
  describe: 'Check this machine, a data folder and your login (with --context); exit 1 if a check fails',
  examples: [['$0 doctor --data ./room', '']],
  builder: (args) => args.options({ ...SERVER_FOLDER, context: OPTIONS.context }),
  async run(_args, shared): Promise<ExitName> {
    const isNamed = shared.dataWasGiven || ['DATA', 'CONFIG'].some((name) => fromEnvironment(name) !== undefined)
    const findings = [
      checkNode(),
      ...(await checkDataFolder(shared, { isNamed })),
      ...(await checkCluster(shared)),
      ...(await checkServer(shared)),
      await checkLogin(shared, isNamed),
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

async function checkServer(shared: Shared): Promise<Finding[]> {
  try {
    if (!(await isRunning(shared))) return [finding('server', 'skipped', `none runs on ${shared.data}`)]
    return [finding('server', 'ok', 'answers on its control socket'), ...(await checkHttp(shared))]
  } catch (error) {
    return [finding('server', 'failed', (error as Error).message)]
  }
}

/** The login of `--context`, or the selected one; where a data folder was named, only a login of its server. */
async function checkLogin(shared: Shared, isNamed: boolean): Promise<Finding> {
  const name = shared.context ?? (await currentContext())
  if (name === undefined)
    return finding('login', 'skipped', `no context is selected (${(await contextNames()).length} kept)`)
  try {
    if (shared.context === undefined && isNamed && !(await isOfServer(name, shared.data)))
      return finding(
        'login',
        'skipped',
        `the selected context "${name}" is for another server; --context ${name} checks it`,
      )
    await asUser({ ...shared, as: undefined }, async () => {})
    return finding('login', 'ok', `context "${name}" logs in`)
  } catch (error) {
    // The selected login may be on another server: that says nothing about this one, unless it was asked about.
    const state = shared.context === undefined ? 'warning' : 'failed'
    return finding('login', state, `context "${name}": ${(error as Error).message}`)
  }
}

/** Whether a kept login is one on the server of that data folder, by the server's key. */
async function isOfServer(name: string, data: string): Promise<boolean> {
  const { serverFingerprint } = await import('../server/keys.ts')
  const { dataPaths } = await import('../server/paths.ts')
  const context = await readContext(name)
  const known = context && (await knownServer(context.server))
  return known !== undefined && known.key === (await serverFingerprint(dataPaths(data)))
}
