import type { Client, ValuesOf } from '../../client/index.ts'
import { readPassword } from '../secrets.ts'
import { asOperator, asOperatorAnyhow } from '../sessions.ts'
import { chosenPasswordFile, defineCommand, defineGroup, OPTIONS } from '../shared.ts'

type UserEntry = ValuesOf<typeof import('../../plugins/admin/messages.ts').UserList>['users'][number]

const messages = () => import('../../plugins/admin/messages.ts')
const nameArgument = { type: 'string', demandOption: true, describe: 'name of the account' } as const
const user = { title: 'user', value: ({ user }: { user: string }) => user }

async function allUsers(client: Client): Promise<UserEntry[]> {
  const { QueryUsers } = await messages()
  const found: UserEntry[] = []
  for (let more = true; more; ) {
    const page = await client.request(QueryUsers, { after: found.at(-1)?.id ?? 0 })
    found.push(...page.users)
    more = page.more
  }
  return found
}

const list = defineCommand({
  command: 'list',
  describe: 'List all accounts',
  examples: [['$0 users list -o ndjson', 'a line an account']],
  builder: (args) => args.options({ data: OPTIONS.data }),
  async run(_args, shared) {
    const found = await asOperatorAnyhow(shared, allUsers)
    const users = found.map(({ registeredAt, ...entry }) => ({ ...entry, registeredAt: new Date(registeredAt) }))
    const { colors } = shared.output
    await shared.output.list(
      users,
      [
        { title: 'id', value: ({ id }) => id },
        user,
        { title: 'nickname', value: ({ nickname }) => nickname },
        { title: 'role', value: ({ role }) => role },
        {
          title: 'state',
          value: ({ active }) => (active ? 'active' : 'disabled'),
          color: ({ active }) => (active ? undefined : colors.red),
        },
        { title: 'sessions', value: ({ sessions }) => sessions },
        { title: 'registered', value: ({ registeredAt }) => registeredAt.toISOString() },
      ],
      'no accounts yet; make one with `chatctl users create NAME`',
    )
  },
})

const create = defineCommand({
  command: 'create <name>',
  describe: 'Make an account for someone',
  examples: [['$0 users create ci --role bot --password-file pw', 'without asking']],
  builder: (args) =>
    args.positional('name', nameArgument).options({
      data: OPTIONS.data,
      'password-file': OPTIONS.passwordFile,
      nickname: { type: 'string', describe: 'name shown to others' },
      role: { type: 'string', choices: ['user', 'bot', 'admin'], default: 'user', describe: 'what the account may do' },
    }),
  async run({ name, passwordFile, nickname = '', role }, shared) {
    const { CreateUser } = await messages()
    const { makeVerifier } = await import('../verifier.ts')
    const password = await readPassword(chosenPasswordFile(passwordFile), {
      prompt: `Password for ${name}`,
      repeat: true,
    })
    const created = await asOperatorAnyhow(
      shared,
      async (client) =>
        client.request(CreateUser, { user: name, nickname, role, ...(await makeVerifier(client, password)) }),
      { make: true },
    )
    await shared.output.item({ ...created, role }, [{ title: 'created', value: ({ user }) => user }], user)
  },
})

const setActive = (verb: string, active: boolean, about: string) =>
  defineCommand({
    command: `${verb} <name>`,
    describe: about,
    examples: [[`$0 users ${verb} bob`, '']],
    builder: (args) => args.positional('name', nameArgument).options({ data: OPTIONS.data }),
    async run({ name }, shared) {
      const { SetUserActive } = await messages()
      await asOperatorAnyhow(shared, (client) => client.request(SetUserActive, { user: name, active }))
      await shared.output.item({ user: name, active }, [{ title: `${verb}d`, value: ({ user }) => user }], user)
    },
  })

const passwd = defineCommand({
  command: 'passwd <name>',
  describe: 'Set a new password, and end the account’s sessions',
  examples: [['$0 users passwd bob', 'asks for it']],
  builder: (args) =>
    args.positional('name', nameArgument).options({ data: OPTIONS.data, 'password-file': OPTIONS.passwordFile }),
  async run({ name, passwordFile }, shared) {
    const { SetUserPassword } = await messages()
    const { makeVerifier } = await import('../verifier.ts')
    const password = await readPassword(chosenPasswordFile(passwordFile), {
      prompt: `New password for ${name}`,
      repeat: true,
    })
    await asOperatorAnyhow(shared, async (client) =>
      client.request(SetUserPassword, { user: name, ...(await makeVerifier(client, password)) }),
    )
    await shared.output.item(
      { user: name, changed: true },
      [{ title: 'new password for', value: ({ user }) => user }],
      user,
    )
  },
})

const kick = defineCommand({
  command: 'kick <name>',
  describe: 'End all sessions of a user, who may log in again; needs the running server',
  examples: [
    ['$0 users kick bob', 'prints how many sessions there were'],
    ['$0 users disable bob', 'keeps bob out'],
  ],
  builder: (args) => args.positional('name', nameArgument).options({ data: OPTIONS.data }),
  async run({ name }, shared) {
    const { KickUser } = await messages()
    const { sessions } = await asOperator(shared, (client) => client.request(KickUser, { user: name }))
    await shared.output.item(
      { user: name, sessions },
      [
        { title: 'kicked', value: ({ user }) => user },
        { title: 'sessions', value: (kicked) => kicked.sessions },
      ],
      { title: 'sessions', value: (kicked) => kicked.sessions },
    )
  },
})

export const users = defineGroup('users', 'Accounts, as the operator; the server may run or not', [
  list,
  create,
  setActive('disable', false, 'Disable an account, which ends its sessions'),
  setActive('enable', true, 'Enable a disabled account'),
  passwd,
  kick,
])
