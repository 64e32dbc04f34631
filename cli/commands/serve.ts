import { isAbsolute } from 'node:path'
import type { Logger } from 'pino'
import { isLoopback, type Server, startWatchdog } from '../../core/index.ts'
import type { Configured, ServerConfig } from '../config/server-config.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { SERVE_OPTIONS } from '../definition/serve-options.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import { exitByHangUp, onHangUp, stopSignal } from '../server/stop-signal.ts'

export const serve = defineCommand({
  command: 'serve',
  describe: 'Run a server until SIGTERM or Ctrl-C',
  examples: [
    ['$0 serve', 'on 127.0.0.1:7300, with a database in your data folder'],
    ['$0 serve --data ./room --port 0', 'on a free port; the first line of output says which'],
    ['$0 serve --plugin ./polls.ts', 'with a plugin of your own'],
    ['$0 serve --config chatctl.yaml', 'settings from a file'],
    ['$0 serve --http 7380', 'with a page for browsers, at http://127.0.0.1:7380'],
    ['$0 serve --metrics 9380', 'with metrics for Prometheus, at http://127.0.0.1:9380/metrics'],
    ['CHATCTL_DB=mysql://… $0 serve --cluster nats://127.0.0.1', 'as a node beside others on one database'],
    ['$0 serve --legacy 5555', 'lets clients of the original chat room in too, from this machine'],
  ],
  builder: (args) => args.options(SERVE_OPTIONS),
  async run(flags, shared): Promise<ExitName> {
    const { readConfig } = await import('../config/server-config.ts')
    const configured = await readConfig(flags, { here: true })
    const isNamed = flags.config !== undefined || Boolean(process.env.CHATCTL_CONFIG)
    if (!isNamed) await refusePluginsFoundHere(configured)
    let rotate = () => {}
    const terminalClosed = onHangUp(() => rotate())
    const { openLog } = await import('../output/logger.ts')
    const { logLevel, logFormat } = configured.config
    const pretty = logFormat === 'auto' ? process.stdout.isTTY === true : logFormat === 'pretty'
    const { log, release } = await openLog(logLevel, pretty)
    // A closed log pipe must not end the server.
    process.stdout.removeAllListeners('error').on('error', () => {})
    process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled promise rejection'))
    try {
      const handle = await openConfigured(configured, log)
      rotate = () => {
        handle.reopenLogs()
        log.info('SIGHUP: the audit log is opened again')
      }
      let end: string | Error
      try {
        // Before the first line is printed: its reader may send a signal at once.
        const stopped = stopSignal(shared.signal)
        await listen(handle.server, configured, { log, shared })
        release()
        startWatchdog(handle.server.limits.stall)
        end = await Promise.race([stopped, terminalClosed, handle.lost])
        if (end instanceof Error) {
          log.fatal({ err: end }, 'the database was lost to others: stopping')
          throw end
        }
        log.info({ signal: end }, 'stopping')
      } finally {
        await handle.close()
      }
      log.info('stopped')
      if (end === 'SIGHUP') exitByHangUp()
      return 'ok'
    } finally {
      release()
    }
  },
})

/** @throws CliError `usage` when plugins, which are code, were named by a file that was only found in the current folder */
async function refusePluginsFoundHere({ origin }: Configured) {
  if (!isAbsolute(origin.plugins)) return
  const { shownOrigin } = await import('../config/server-config.ts')
  throw new CliError(
    'usage',
    `${shownOrigin(origin.plugins)} names plugins, which are code, and was only found in the current folder`,
    `if it is yours, name it: --config ${shownOrigin(origin.plugins)}`,
  )
}

/** Opens the server of these settings; it listens nowhere yet. @throws SetupError, DatabaseError, CliError */
async function openConfigured(
  { config, origin, pluginFolder, limits, legacy, http, metrics }: Configured,
  log: Logger,
) {
  const { loadPlugin } = await import('../../core/plugin/plugin-loader.ts')
  const { shownOrigin } = await import('../config/server-config.ts')
  const { openServer } = await import('../server/assembly.ts')
  const { refuseInUse } = await import('../server/data-folder.ts')
  const { checkFree } = await import('../server/free-port.ts')
  const { data, db, files, migrate, without, options: pluginOptions } = config
  const plugins = await Promise.all(config.plugins.map((specifier) => loadPlugin(specifier, pluginFolder)))
  // Before anything is made or migrated in the data folder.
  await refuseInUse(data)
  await checkFree(config)
  if (legacy !== undefined) await checkFree(legacy, ' for original clients')
  if (http !== undefined) await checkFree(http, ' for HTTP')
  if (metrics !== undefined) await checkFree(metrics, ' for metrics')
  const optionsFrom = shownOrigin(origin.options)
  const cluster = config.cluster.length > 0 ? await clusterOf(config) : undefined
  return openServer({
    data,
    db,
    files,
    cluster,
    plugins,
    without,
    pluginOptions,
    optionsFrom,
    limits,
    legacy,
    metrics,
    log,
    migrate,
  })
}

/** Loaded only for a node: the client of NATS. */
async function clusterOf({ cluster, nodeName, data, db, files, without }: ServerConfig) {
  if (files === '' && !without.includes('files'))
    throw new CliError(
      'usage',
      'the nodes of a cluster need one place for files',
      'name a bucket or a folder that all nodes share with --files, or leave files out with --without files',
    )
  const { clusterOptions } = await import('../server/cluster/nats-options.ts')
  const { dataPaths } = await import('../server/paths.ts')
  return clusterOptions(cluster, { name: nodeName, where: db || dataPaths(data).database })
}

async function listen(
  server: Server,
  { config, http }: Configured,
  { log, shared }: { readonly log: Logger; readonly shared: Shared },
) {
  const { dataPaths } = await import('../server/paths.ts')
  const { host, port, data, httpOrigins: origins, trustedProxies } = config
  const address = await server.listen({ host, port })
  const page = http && (await server.listenHttp({ ...http, origins, trustedProxies }))
  await server.listenControl(dataPaths(data).control)
  announce(server, address, data, shared)
  if (page !== undefined && !isLoopback(page.host))
    log.warn(
      { url: page.url },
      'HTTP without TLS is open to others: passwords and messages are encrypted, the page is not',
    )
}

/** On a terminal, the address and the next commands; otherwise one JSON record, the first line of the output. */
function announce(server: Server, { host, port }: { host: string; port: number }, data: string, { output }: Shared) {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const { fingerprint } = server
  const { legacy, http, metrics } = server.status() as { legacy?: string; http?: string; metrics?: string }
  if (process.stdout.isTTY !== true) {
    const record = {
      level: 'info',
      time: new Date().toISOString(),
      event: 'listening',
      host,
      port,
      address,
      fingerprint,
      ...(http !== undefined && { http }),
      ...(metrics !== undefined && { metrics }),
      ...(legacy !== undefined && { legacy }),
      data,
      pid: process.pid,
    }
    process.stdout.write(`${JSON.stringify({ ...record, msg: 'listening' })}\n`)
    return
  }
  const { bold, dim } = output.colors
  const option = port === 7300 && host === '127.0.0.1' ? '' : ` --server ${address}`
  process.stdout.write(
    `
  chatctl listens on ${bold(address)}
  server key         ${fingerprint}${http === undefined ? '' : `\n  in the browser     ${bold(http)}`}${legacy === undefined ? '' : `\n  original clients   ${legacy}, encrypted with a key that everyone knows`}
${metrics === undefined ? '' : `  metrics            ${metrics}\n`}  data folder        ${data}

  ${dim('In a second terminal (npx chatctl … in a checkout):')}
    chatctl register alice${option}
    chatctl login alice${option}
    chatctl listen

  ${dim('Ctrl-C stops the server.')}

`,
  )
}
