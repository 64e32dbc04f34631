import type { Client, ValuesOf } from '../../client/index.ts'
import { isNamed } from '../client/incoming.ts'
import { asOperator, asOperatorOrOffline } from '../client/sessions.ts'
import { defineCommand, defineGroup, type Shared } from '../definition/command.ts'
import { chosenPasswordFile } from '../definition/environment.ts'
import { OPTIONS, SERVER_FOLDER } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { readPassword } from '../input/secrets.ts'

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
  builder: (args) => args.options(SERVER_FOLDER),
  async run(_args, shared) {
    const found = await asOperatorOrOffline(shared, allUsers)
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
        { title: 'registered', value: ({ registeredAt }) => registeredAt },
      ],
      'no accounts yet; make one with `chatctl users create NAME`',
    )
  },
})

const create = defineCommand({
  command: 'create <name>',
  describe: 'Create an account for a user',
  examples: [
    ['$0 users create ci --role bot --password-file pw', 'without asking'],
    ['$0 users create dice --bot > dice.key', 'for a bot, with a key in place of a password'],
  ],
  builder: (args) =>
    args.positional('name', nameArgument).options({
      ...SERVER_FOLDER,
      'password-file': OPTIONS.passwordFile,
      nickname: { type: 'string', describe: 'name shown to others' },
      role: {
        type: 'string',
        choices: ['user', 'bot', 'admin'] as const,
        describe: 'what the account may do; user if left out',
      },
      bot: {
        type: 'boolean',
        describe: 'account of a bot, with a random key in place of a password; prints the key, once',
      },
    }),
  async run({ name, passwordFile, nickname = '', role: asked, bot }, shared) {
    const { CreateUser } = await messages()
    if (bot) {
      if (asked !== undefined) throw new CliError('usage', '--bot is the role as well: leave out --role')
      const makeKey = await keyMaker(passwordFile)
      const made = await asOperatorOrOffline(
        shared,
        async (client) => {
          const { key, verifier } = await makeKey(client)
          return { ...(await client.request(CreateUser, { user: name, nickname, role: 'bot', ...verifier })), key }
        },
        { make: true },
      )
      const { key, ...created } = made
      return printKey(shared, { ...created, role: 'bot', key })
    }
    const role = asked ?? 'user'
    const { makeVerifier } = await import('../client/verifier.ts')
    const password = await readPassword(chosenPasswordFile(passwordFile), {
      prompt: `Password for ${name}`,
      repeat: true,
    })
    const created = await asOperatorOrOffline(
      shared,
      async (client) =>
        client.request(CreateUser, { user: name, nickname, role, ...(await makeVerifier(client, password)) }),
      { make: true },
    )
    await shared.output.item({ ...created, role }, [{ title: 'created', value: ({ user }) => user }], user)
  },
})

/** @throws CliError when a password file was given, too */
async function keyMaker(passwordFile: string | undefined) {
  if (passwordFile !== undefined)
    throw new CliError('usage', 'a key takes the place of a password', 'leave out --password-file')
  return (await import('../client/verifier.ts')).makeKey
}

/** Prints a key, the only time; alone on stdout where that is a pipe. */
async function printKey<R extends { user: string; key: string }>({ output }: Shared, made: R) {
  const key = { title: 'key', value: (record: R) => record.key }
  await output.item(made, [{ title: 'account', value: (record: R) => record.user }, key], key)
  output.note('the key is shown once and kept nowhere; give it to the bot as CHATCTL_BOT_KEY or in a --key-file')
}

const setActive = (verb: string, active: boolean, about: string) =>
  defineCommand({
    command: `${verb} <name>`,
    describe: about,
    examples: [[`$0 users ${verb} bob`, '']],
    builder: (args) => args.positional('name', nameArgument).options(SERVER_FOLDER),
    async run({ name }, shared) {
      const { SetUserActive } = await messages()
      await asOperatorOrOffline(shared, (client) => client.request(SetUserActive, { user: name, active }))
      await shared.output.item({ user: name, active }, [{ title: `${verb}d`, value: ({ user }) => user }], user)
    },
  })

const passwd = defineCommand({
  command: 'passwd <name>',
  describe: 'Set a new password, and end the account’s sessions',
  examples: [
    ['$0 users passwd bob', 'asks for it'],
    ['$0 users passwd dice --bot-key > dice.key', 'a new key for a bot'],
  ],
  builder: (args) =>
    args.positional('name', nameArgument).options({
      ...SERVER_FOLDER,
      'password-file': OPTIONS.passwordFile,
      'bot-key': { type: 'boolean', describe: 'a new random key, as of `users create --bot`; prints it, once' },
    }),
  async run({ name, passwordFile, botKey }, shared) {
    const { SetUserPassword } = await messages()
    if (botKey) {
      const makeKey = await keyMaker(passwordFile)
      const key = await asOperatorOrOffline(shared, async (client) => {
        const accounts = await allUsers(client)
        // The server's rule: names of adopted databases may have capitals.
        const account = accounts.find(({ user }) => user === name) ?? accounts.find(({ user }) => isNamed(user, name))
        if (account !== undefined && account.role !== 'bot')
          throw new CliError(
            'usage',
            `${account.user} is no bot: a key would replace a person's password`,
            `\`chatctl users passwd ${account.user}\` sets a password`,
          )
        const { key, verifier } = await makeKey(client)
        await client.request(SetUserPassword, { user: name, ...verifier })
        return key
      })
      return printKey(shared, { user: name, key })
    }
    const { makeVerifier } = await import('../client/verifier.ts')
    const password = await readPassword(chosenPasswordFile(passwordFile), {
      prompt: `New password for ${name}`,
      repeat: true,
    })
    await asOperatorOrOffline(shared, async (client) =>
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
  builder: (args) => args.positional('name', nameArgument).options(SERVER_FOLDER),
  async run({ name }, shared) {
    const { KickUser } = await messages()
    const kicked = await asOperator(shared, (client) => client.request(KickUser, { user: name }))
    const { sessions, silentNodes } = kicked
    if (silentNodes !== '')
      shared.output.note(`no answer of node ${silentNodes}: sessions there may go on; kick again once it answers`)
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

export const users = defineGroup(
  'users',
  'Accounts, as the operator; the server may run or not',
  [
    ['$0 users create alice --data ./room', 'asks for a password'],
    ['$0 users list --data ./room', 'who has an account, and who is here'],
    ['$0 users disable bob --data ./room', 'keeps bob out until `users enable bob`'],
  ],
  [
    list,
    create,
    setActive('disable', false, 'Disable an account, which ends its sessions'),
    setActive('enable', true, 'Enable a disabled account'),
    passwd,
    kick,
  ],
)
