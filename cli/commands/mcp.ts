import type { Client } from '../../client/index.ts'
import type { McpParts } from '../../plugins/mcp/mcp-server.ts'
import { botLogin } from '../bots/credentials.ts'
import { asContext, asUser } from '../client/sessions.ts'
import { notEmpty } from '../definition/coerce.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { OPTIONS, WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'

const MAX_AGENT_BYTES = 48

export const mcp = defineCommand({
  command: 'mcp',
  describe: 'Serve tools for a language model over stdio (Model Context Protocol): send, ask a person, wait, read',
  examples: [
    ['$0 mcp', 'as the selected login; an agent program starts it'],
    ['$0 mcp --key-file agent.key --user agent --to bob,@ops', 'it reaches Bob and the group ops, and nobody else'],
    ['$0 mcp --context agent --read-only', 'it reads, and sends nothing'],
    ['$0 mcp --context agent --agent builder', 'one of several agents of an account: each has its own place'],
  ],
  builder: (args) =>
    args.options({
      ...WHO,
      server: OPTIONS.server,
      pin: OPTIONS.pin,
      user: { type: 'string', describe: 'the account of the key; the name of the agent if left out', group: 'Who' },
      'key-file': { type: 'string', describe: 'file that holds the key of a bot account', group: 'Who' },
      agent: {
        type: 'string',
        describe: 'name of the agent in the log, and of its place among the messages; default "agent"',
        coerce: notEmpty('agent'),
      },
      to: {
        type: 'string',
        describe: 'whom it may reach: users and @groups, commas between; everyone if left out',
        coerce: notEmpty('to'),
      },
      'read-only': { type: 'boolean', default: false, describe: 'without the tools that send' },
    }),
  async run({ agent: name = 'agent', to, readOnly, keyFile, user, server, context }, shared) {
    if (Buffer.byteLength(name) > MAX_AGENT_BYTES || /\p{Cc}/u.test(name))
      throw new CliError('usage', `--agent: at most ${MAX_AGENT_BYTES} bytes, one line`)
    const names = to?.split(',').map((word) => word.trim())
    if (names?.some((word) => word === '' || word === '@'))
      throw new CliError('usage', `--to: "${to}" has an empty name`, 'such as bob,@ops')
    const { rightsOf } = await import('../../plugins/mcp/rights.ts')
    const options = { name, rights: rightsOf(names, { readOnly }) }
    if (shared.as !== undefined) return asUser(shared, (client, self) => serve(client, self, shared, options))
    if (keyFile === undefined && user === undefined && server === undefined)
      return asContext(shared, (client, { user: self }) => serve(client, self, shared, options), { reconnect: true })
    const login = await botLogin({ server, context, user, keyFile }, name, shared)
    const { connect } = await import('../../client/index.ts')
    const { timeout, signal } = shared
    await using client = await connect({ ...login, timeout, signal })
    const secret = { ...(login.keys && { keys: login.keys }), ...(login.key !== undefined && { password: login.key }) }
    const { user: self } = await client.login(login.user, secret)
    await serve(client, self, shared, options)
  },
})

interface Options {
  readonly name: string
  readonly rights: Parameters<typeof import('../../plugins/mcp/rights.ts').reach>[0]
}

/** Serves until stdin ends, the client ends, or a signal. */
async function serve(client: Client, user: string, shared: Shared, { name, rights }: Options) {
  const { serveStdio } = await library()
  const { loadMcp } = await import('../../plugins/mcp/mcp-server.ts')
  const { Agent } = await import('../../plugins/mcp/agent.ts')
  const { ClientCaller } = await import('../client/mcp-caller.ts')
  const { openStderrLog } = await import('../output/logger.ts')
  const { stopSignal } = await import('../server/stop-signal.ts')
  const { version } = await import('../definition/version.ts')
  const { ReportAgentCall } = await import('../../plugins/mcp/messages.ts')
  const log = await openStderrLog('info', process.stderr.isTTY === true)
  const agent = new Agent(name, new ClientCaller(client, user), rights)
  const makeServer = await loadMcp()
  const reports = new Set<Promise<unknown>>()
  const parts: McpParts = {
    version: version(),
    record(call, fault) {
      if (fault === undefined) log.info(call, 'tool call')
      else log.error({ err: fault, ...call }, 'a tool failed')
      const { tool, outcome, ms, to = '' } = call
      const reported = client
        .request(ReportAgentCall, { agent: name, tool, outcome, ms, to })
        .catch((error: unknown) => log.warn({ err: error, ...call }, 'the server has not recorded this call'))
        .finally(() => reports.delete(reported))
      reports.add(reported)
    },
  }
  const ended = new Promise<void>((resolve, reject) => {
    process.stdin.once('close', resolve)
    client.onLife('closed', reject)
    void stopSignal(shared.signal).then(() => resolve())
  })
  client.onLife('disconnected', (error) => log.warn({ err: error }, 'connection lost; reconnecting'))
  const stdio = serveStdio(() => makeServer(agent, parts), { onerror: (error) => log.warn({ err: error }, 'protocol') })
  log.info({ user, agent: name }, 'serving tools on stdio')
  try {
    await ended
  } finally {
    await stdio.close()
    await Promise.all(reports)
  }
}

/** @throws CliError where the optional dependency is not installed */
async function library() {
  try {
    return await import('@modelcontextprotocol/server/stdio')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    const hint = 'install it beside chatctl: `npm install @modelcontextprotocol/server`'
    throw new CliError('failed', 'the package @modelcontextprotocol/server is not installed', hint)
  }
}
