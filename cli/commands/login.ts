import { withoutLogin } from '../client/sessions.ts'
import { checkContextName, listContexts, saveContext, useContext } from '../config/contexts.ts'
import { rememberServer } from '../config/known-servers.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { chosenPasswordFile, chosenServer } from '../definition/environment.ts'
import { OPTIONS } from '../definition/options.ts'
import { readPassword } from '../input/secrets.ts'

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
    if (context !== undefined) checkContextName(context)
    const password = await readPassword(chosenPasswordFile(passwordFile), { prompt: `Password for ${name}` })
    const result = await withoutLogin(server, shared, async (client) => {
      const identity = await client.login(name, { password })
      const key = client.fingerprint
      // SCRAM, bound to this handshake, has proved that the server knows the account: the key is verified.
      await rememberServer(server, { key, state: 'verified' })
      // As the server spells it: `login Alice` is the account alice.
      const kept = checkContextName(context ?? identity.user)
      await noteReplaced(kept, server, identity.user, shared)
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

/** Reports that the context replaces another login: its keys are gone, and later commands reach another server. */
async function noteReplaced(name: string, server: string, user: string, { output }: Shared) {
  const former = (await listContexts()).find((context) => context.name === name)
  if (former === undefined || 'broken' in former || (former.server === server && former.user === user)) return
  output.note(
    `context "${name}" was ${former.user} on ${former.server}, and is ${user} on ${server} now; ` +
      '`chatctl login NAME --context OTHER` keeps both',
  )
}

export const logout = defineCommand({
  command: 'logout',
  describe: 'Forget a kept login; its keys are deleted from this machine',
  examples: [
    ['$0 logout', 'the selected context'],
    ['$0 logout --context work', 'another one'],
  ],
  builder: (args) => args.options({ context: OPTIONS.context }),
  async run(_args, shared) {
    const { removeContext } = await import('../config/contexts.ts')
    const { chosenContext } = await import('../client/sessions.ts')
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
  describe: 'Log in with the kept login and print its account',
  examples: [
    ['$0 whoami -o json', 'for a script'],
    ['$0 whoami --pin SHA256:…', 'where the server’s key is not known yet, as on a fresh machine'],
  ],
  builder: (args) => args.options({ context: OPTIONS.context, pin: OPTIONS.pin }),
  async run(_args, shared) {
    const { asContext } = await import('../client/sessions.ts')
    const self = await asContext(shared, async ({ fingerprint }, identity, { name, server }) => ({
      context: name,
      ...identity,
      server,
      key: fingerprint,
    }))
    await shared.output.item(
      self,
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
