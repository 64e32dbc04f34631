import {
  currentContext,
  listContexts,
  noSuchContext,
  readContext,
  removeContext,
  useContext,
} from '../config/contexts.ts'
import { forgetServer, knownServer } from '../config/known-servers.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import type { Output } from '../output/output.ts'

const named = (about: string) => ({ type: 'string', demandOption: true, describe: about }) as const

interface Row {
  readonly name: string
  readonly selected: boolean
  readonly user: string | null
  readonly server: string | null
  readonly key: string | null
  readonly keyState: 'seen' | 'verified' | null
  /** Problem with the files of this login, and its remedy. */
  readonly problem?: string
}

async function rows(): Promise<Row[]> {
  const [contexts, current] = await Promise.all([listContexts(), currentContext()])
  return Promise.all(
    contexts.map(async (context) => {
      const { name } = context
      const row = { name, selected: name === current, user: null, server: null, key: null, keyState: null }
      if ('broken' in context) return { ...row, problem: explained(context.broken) }
      const { server, user } = context
      try {
        const known = await knownServer(server)
        return { ...row, user, server, key: known?.key ?? null, keyState: known?.state ?? null }
      } catch (error) {
        if (error instanceof CliError) return { ...row, user, server, problem: explained(error) }
        throw error
      }
    }),
  )
}

const explained = ({ message, hint }: CliError) => (hint === undefined ? message : `${message}; ${hint}`)

/** One damaged file must not hide the logins beside it. */
function noteProblems(found: readonly Row[], output: Output) {
  for (const { problem } of found) if (problem !== undefined) output.note(problem)
}

const list = defineCommand({
  command: 'list',
  describe: 'List kept logins',
  examples: [['$0 context list -o json', 'for a script']],
  async run(_args, { output }) {
    const found = await rows()
    noteProblems(found, output)
    await output.list(
      found,
      [
        { title: '', value: ({ selected }) => (selected ? '*' : '') },
        { title: 'context', value: ({ name }) => name },
        { title: 'user', value: ({ user, problem }) => user ?? (problem && '(damaged)') },
        { title: 'server', value: ({ server }) => server },
        { title: 'server key', value: ({ key }) => key },
      ],
      'no logins are kept; make one with `chatctl login NAME`',
    )
  },
})

const use = defineCommand({
  command: 'use <name>',
  describe: 'Select the login that commands use when none is named',
  examples: [['$0 context use work', '']],
  builder: (args) => args.positional('name', named('name of the context')),
  async run({ name }, { output }) {
    if ((await readContext(name)) === undefined) throw noSuchContext(name)
    await useContext(name)
    await output.item({ context: name }, [{ title: 'selected', value: ({ context }) => context }])
  },
})

const noneSelected = () =>
  new CliError('authentication', 'no context is selected', '`chatctl context use NAME` selects one')

const show = defineCommand({
  command: 'show [name]',
  describe: 'Show one kept login, without its keys',
  examples: [['$0 context show', 'the selected one']],
  builder: (args) => args.positional('name', { type: 'string', describe: 'name of the context' }),
  async run({ name }, { output }) {
    const all = await rows()
    const found = all.find((row) => (name === undefined ? row.selected : row.name === name))
    if (found === undefined) throw name === undefined ? noneSelected() : noSuchContext(name)
    noteProblems([found], output)
    await output.item(found, [
      { title: 'context', value: (row) => row.name },
      { title: 'user', value: (row) => row.user },
      { title: 'server', value: (row) => row.server },
      { title: 'server key', value: (row) => row.key },
      { title: 'key is', value: (row) => row.keyState },
    ])
  },
})

const remove = defineCommand({
  command: 'remove <name>',
  describe: 'Delete a kept login',
  examples: [['$0 context remove work', '']],
  builder: (args) => args.positional('name', named('name of the context')),
  async run({ name }, { output }) {
    if (!(await removeContext(name))) throw noSuchContext(name)
    await output.item({ context: name, removed: true }, [{ title: 'removed', value: ({ context }) => context }])
  },
})

const forget = defineCommand({
  command: 'forget <server>',
  describe: 'Forget the key of a server, so that the next contact takes its new one',
  examples: [['$0 context forget 127.0.0.1:7300', 'after you compared the new key with the server’s own words']],
  builder: (args) => args.positional('server', named('HOST:PORT, as in the contexts')),
  async run({ server }, { output }) {
    const forgotten = await forgetServer(server)
    if (forgotten === undefined)
      throw new CliError('usage', `no key of "${server}" is known`, '`chatctl context list` shows servers and keys')
    await output.item({ server, forgotten }, [
      { title: 'forgot', value: ({ server, forgotten }) => `${forgotten} of ${server}` },
    ])
  },
})

export const context = defineGroup(
  'context',
  'Kept logins and known servers',
  [
    ['$0 context list', 'the logins that `login` kept; * marks the selected one'],
    ['$0 context use work', 'selects one'],
    ['$0 send --context work bob hello', 'uses one for once'],
  ],
  [list, use, show, remove, forget],
)
