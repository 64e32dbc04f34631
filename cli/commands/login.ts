import { checkContextName, rememberServer, saveContext, useContext } from '../contexts.ts'
import { readPassword } from '../secrets.ts'
import { asStranger } from '../sessions.ts'
import { chosenPasswordFile, chosenServer, defineCommand, OPTIONS } from '../shared.ts'

export const login = defineCommand({
  command: 'login <name>',
  describe: 'Log in and keep the login as a context, so that later commands need no password',
  examples: [
    ['$0 login alice', 'on 127.0.0.1:7300, kept as context "alice"'],
    ['$0 login alice --server chat.example:7300 --context work', 'kept as "work"'],
    ['$0 login ci --password-file -  < secret', 'password from stdin'],
  ],
  builder: (args) =>
    args.positional('name', { type: 'string', demandOption: true, describe: 'name of the account' }).options({
      server: OPTIONS.server,
      pin: OPTIONS.pin,
      context: { type: 'string', describe: 'keep it under this name; default: the account’s' },
      'password-file': OPTIONS.passwordFile,
    }),
  async run({ name, passwordFile, server: asked, context }, shared) {
    const server = chosenServer(asked)
    const kept = checkContextName(context ?? name)
    const password = await readPassword(chosenPasswordFile(passwordFile), { prompt: `Password for ${name}` })
    const result = await asStranger(server, shared, async (client) => {
      const identity = await client.login(name, { password })
      const key = client.fingerprint
      // The server has just proved, bound to this handshake, that it knows the account: the key is the right one.
      await rememberServer(server, { key, state: 'verified' })
      if (client.keys !== undefined) await saveContext({ name: kept, server, user: identity.user, keys: client.keys })
      await useContext(kept)
      return { context: kept, ...identity, server, key }
    })
    await shared.output.item(
      result,
      [
        { title: 'logged in as', value: ({ user }) => user },
        { title: 'on', value: ({ server }) => server },
        { title: 'server key', value: ({ key }) => key },
        { title: 'context', value: ({ context }) => context },
      ],
      { title: 'context', value: ({ context }) => context },
    )
  },
})

export const logout = defineCommand({
  command: 'logout',
  describe: 'Forget a kept login; its keys are deleted from this machine',
  examples: [
    ['$0 logout', 'the selected context'],
    ['$0 logout --context work', 'another one'],
  ],
  builder: (args) => args.options({ context: OPTIONS.context }),
  async run(_args, shared) {
    const { removeContext } = await import('../contexts.ts')
    const { chosenContext } = await import('../sessions.ts')
    const { name, user, server } = await chosenContext(shared)
    await removeContext(name)
    await shared.output.item(
      { context: name, user, server, removed: true },
      [{ title: 'forgot', value: ({ context, user, server }) => `${context} (${user} on ${server})` }],
      { title: 'context', value: ({ context }) => context },
    )
  },
})

export const whoami = defineCommand({
  command: 'whoami',
  describe: 'Log in with the kept login and say who that is',
  examples: [['$0 whoami -o json', 'for a script']],
  builder: (args) => args.options({ context: OPTIONS.context }),
  async run(_args, shared) {
    const { chosenContext } = await import('../sessions.ts')
    const { connect } = await import('../../client/index.ts')
    const { knownServers } = await import('../contexts.ts')
    const { name, server, user, keys } = await chosenContext(shared)
    const pin = (await knownServers())[server]?.key
    const { timeout, signal } = shared
    await using client = await connect({ server, reconnect: false, timeout, signal, ...(pin !== undefined && { pin }) })
    const identity = await client.login(user, { keys })
    await shared.output.item(
      { context: name, ...identity, server, key: client.fingerprint },
      [
        { title: 'user', value: ({ user }) => user },
        { title: 'nickname', value: ({ nickname }) => nickname },
        { title: 'role', value: ({ role }) => role },
        { title: 'server', value: ({ server }) => server },
        { title: 'server key', value: ({ key }) => key },
        { title: 'context', value: ({ context }) => context },
      ],
      { title: 'user', value: ({ user }) => user },
    )
  },
})
