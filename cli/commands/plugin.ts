import { resolve } from 'node:path'
import type { PluginFacts } from '../../core/plugin/plugin-facts.ts'
import type { Finding } from '../authoring/plugin-check.ts'
import { asOperator } from '../client/sessions.ts'
import { notEmpty } from '../definition/coerce.ts'
import { defineCommand, defineGroup, type Shared } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import { printableJson } from '../output/printable.ts'

/** All plugins of a running server. */
async function running(shared: Shared): Promise<PluginFacts[]> {
  const { QueryPlugins } = await import('../../core/wire/index.ts')
  const { json } = await asOperator(shared, (client) => client.request(QueryPlugins, {}))
  return JSON.parse(json)
}

const list = defineCommand({
  command: 'list',
  describe: 'List the plugins of a running server and their state',
  examples: [['$0 plugin list --data ./room -o ndjson', 'a line a plugin']],
  builder: (args) => args.options(SERVER_FOLDER),
  async run(_args, shared) {
    const { colors } = shared.output
    await shared.output.list(await running(shared), [
      { title: 'plugin', value: ({ name }) => name },
      { title: 'version', value: ({ version, builtIn }) => version ?? (builtIn ? 'built in' : '-') },
      { title: 'api', value: ({ api }) => api },
      {
        title: 'state',
        value: ({ state, reason }) => (state === 'ok' ? state : `${state}: ${reason}`),
        color: ({ state }) => (state === 'ok' ? undefined : colors.red),
      },
      { title: 'handles', value: ({ handles }) => handles.length },
      { title: 'before', value: ({ before }) => before.length },
      { title: 'listens', value: ({ listens }) => listens.length },
    ])
  },
})

const info = defineCommand({
  command: 'info <name>',
  describe: 'Show the messages, handlers, hooks and event listeners of a plugin of a running server',
  examples: [['$0 plugin info friends --data ./room', '']],
  builder: (args) =>
    args
      .positional('name', { type: 'string', demandOption: true, describe: 'name of the plugin' })
      .options(SERVER_FOLDER),
  async run({ name }, shared) {
    const plugins = await running(shared)
    const found = plugins.find((plugin) => plugin.name === name)
    if (found === undefined)
      throw new CliError(
        'failed',
        `no plugin "${name}" runs there`,
        `there are ${plugins.map((p) => p.name).join(', ')}`,
      )
    const words = (list: readonly string[]) => list.join(', ') || '-'
    await shared.output.item(found, [
      { title: 'plugin', value: (plugin) => plugin.name },
      { title: 'version', value: ({ version, builtIn }) => version ?? (builtIn ? 'built in' : '-') },
      { title: 'written for API', value: ({ api }) => api },
      { title: 'state', value: ({ state, reason }) => (state === 'ok' ? state : `${state}: ${reason}`) },
      { title: 'needs', value: ({ needs }) => words(needs) },
      { title: 'messages', value: ({ messages }) => words(messages) },
      { title: 'failures', value: ({ failures }) => words(failures) },
      {
        title: 'limits',
        value: ({ limits }) => words(limits.map(({ name, value, unit }) => `${name} (${value} ${unit})`)),
      },
      { title: 'handles', value: ({ handles }) => words(handles) },
      {
        title: 'before',
        value: ({ before }) =>
          words(
            before.map(
              ({ message, order, timeout, failure }) => `${message} (order ${order}, ${timeout} ms, fails ${failure})`,
            ),
          ),
      },
      { title: 'listens', value: ({ listens }) => words(listens) },
      { title: 'options', value: ({ options }) => words(optionsOf(options)) },
      { title: 'migrations', value: ({ migrations }) => words(migrations) },
      { title: 'HTTP paths', value: ({ routes }) => words(routes) },
      { title: 'timers', value: ({ timers }) => words(timers.map((ms) => `${ms} ms`)) },
    ])
  },
})

/** The options of a plugin in words, from their JSON schema: `forbidden (array of string, [] if left out)`. */
function optionsOf(schema: unknown): string[] {
  const { properties = {} } = (schema ?? {}) as { properties?: Record<string, Record<string, unknown>> }
  return Object.entries(properties).map(([name, option]) => {
    const {
      type,
      items,
      default: standard,
    } = option as { type?: unknown; items?: { type?: unknown }; default?: unknown }
    const kind = Array.isArray(option.enum)
      ? option.enum.map((value) => JSON.stringify(value)).join(' or ')
      : typeof type === 'string'
        ? type
        : 'see -o json'
    const what = typeof items?.type === 'string' ? `${kind} of ${items.type}` : kind
    return `${name} (${what}${standard === undefined ? '' : `, ${printableJson(standard)} if left out`})`
  })
}

/** Time in milliseconds for resources that plugins left open. */
const LEFT_OPEN_MS = 500

const check = defineCommand({
  command: 'check <plugins..>',
  describe: 'Check plugins: load them, run their migrations, start and stop them; nothing is kept',
  examples: [
    ['$0 plugin check ./polls/index.ts', 'exit 1 if something is wrong'],
    [`$0 plugin check ./limit.ts --options '{"limit":{"max":3}}'`, 'with options, as in the config file'],
    ['$0 plugin check @team/polls', 'a package, seen from here'],
  ],
  builder: (args) =>
    args
      .positional('plugins', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: './file.ts, ./file.js or a package; several that need each other',
      })
      .options({ options: { type: 'string', describe: 'options of plugins by name, as JSON' } }),
  async run({ plugins, options }, shared): Promise<ExitName> {
    const { checkPlugins } = await import('../authoring/plugin-check.ts')
    const findings: Finding[] = []
    const checked = { plugins, folder: process.cwd(), options: readOptions(options) }
    for await (const finding of checkPlugins(checked)) findings.push(finding)
    const { colors } = shared.output
    await shared.output.list(findings, [
      { title: 'step', value: ({ step }) => step },
      { title: 'ok', value: ({ ok }) => (ok ? 'ok' : 'failed'), color: ({ ok }) => (ok ? colors.green : colors.red) },
      { title: 'what', value: ({ detail }) => detail },
    ])
    // A resource that a plugin left open must not keep this process alive.
    setTimeout(() => process.exit(), LEFT_OPEN_MS).unref()
    return findings.every(({ ok }) => ok) ? 'ok' : 'failed'
  },
})

const OPTIONS_FORM = 'JSON by plugin and option: {"PLUGIN":{"OPTION":VALUE}}'

function readOptions(text = '{}'): Record<string, unknown> {
  try {
    const options: unknown = JSON.parse(text)
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) return { ...options }
  } catch (error) {
    throw new CliError('usage', `--options: ${(error as Error).message}`, OPTIONS_FORM)
  }
  throw new CliError('usage', '--options is no object', OPTIONS_FORM)
}

const create = defineCommand({
  command: 'new <name>',
  describe: 'Write the folder of a new plugin: messages, behaviour, a table, a test, a type test',
  examples: [
    ['$0 plugin new polls', 'into ./polls'],
    ['$0 plugin new polls --dir plugins/polls', 'into another folder'],
  ],
  builder: (args) =>
    args
      .positional('name', { type: 'string', demandOption: true, describe: 'name of the plugin: a-z, 0-9 and dashes' })
      .options({ dir: { type: 'string', describe: 'folder to write; default ./NAME', coerce: notEmpty('dir') } }),
  async run({ name, dir }, shared) {
    const { checkName, messageNumber, nextSteps, writeTemplate } = await import('../authoring/template.ts')
    checkName(name)
    const folder = resolve(dir ?? name)
    const snake = name.replaceAll('-', '_')
    const type = messageNumber(name)
    const files = await writeTemplate('plugin', folder, [
      ['my-plugin', name],
      ['my_plugin', snake],
      ['1001', String(type + 1)],
      ['1000', String(type)],
    ])
    const made = { title: 'written', value: ({ folder }: { folder: string }) => folder }
    const inIt = { title: 'files', value: ({ files }: { files: string[] }) => files.join(', ') }
    await shared.output.item({ name, folder, files }, [made, inIt], made)
    for (const step of nextSteps(folder, ['npm test', 'npx chatctl plugin check ./index.ts'])) shared.output.note(step)
  },
})

export const plugin = {
  ...defineGroup(
    'plugin',
    'Plugins: begin one, check it, and see those of a running server',
    [
      ['$0 plugin new polls', 'into ./polls'],
      ['$0 plugin check ./polls/index.ts', 'without a server'],
      ['$0 plugin list --data ./room', 'of a running server'],
    ],
    [create, check, list, info],
  ),
  aliases: ['plugins'],
}
