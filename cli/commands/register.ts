import { withoutLogin } from '../client/sessions.ts'
import { knownServer, rememberIfWritable } from '../config/known-servers.ts'
import { defineCommand } from '../definition/command.ts'
import { chosenPasswordFile, chosenServer } from '../definition/environment.ts'
import { OPTIONS } from '../definition/options.ts'
import { readPassword } from '../input/secrets.ts'

export const register = defineCommand({
  command: 'register <name>',
  describe: 'Create an account on a server',
  examples: [
    ['$0 register alice --nickname 小鹰', 'asks for a password'],
    ['$0 register alice --server chat.example:7300 --password-file pw', 'without asking'],
  ],
  builder: (args) =>
    args
      .positional('name', { type: 'string', demandOption: true, describe: 'a-z, 0-9, then also . _ -; at most 32' })
      .options({
        server: OPTIONS.server,
        pin: OPTIONS.pin,
        nickname: { type: 'string', describe: 'name shown to others' },
        'password-file': OPTIONS.passwordFile,
      }),
  async run({ name, nickname = '', passwordFile, server: asked }, shared) {
    const server = chosenServer(asked)
    const password = await readPassword(chosenPasswordFile(passwordFile), {
      prompt: `Password for ${name}`,
      repeat: true,
    })
    const account = await withoutLogin(server, shared, async (client) => {
      const made = await client.register(name, password, { nickname })
      if ((await knownServer(server)) === undefined) {
        const why = await rememberIfWritable(server, { key: client.fingerprint, state: 'seen' })
        if (why !== undefined) shared.output.note(why)
      }
      return { ...made, server }
    })
    await shared.output.item(
      account,
      [
        { title: 'registered', value: ({ user }) => user },
        { title: 'on', value: ({ server }) => server },
      ],
      { title: 'user', value: ({ user }) => user },
    )
  },
})
