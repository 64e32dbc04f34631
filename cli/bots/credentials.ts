import type { StartOptions } from '../../bot/index.ts'
import { chosenContext, keyCheck } from '../client/sessions.ts'
import type { Shared } from '../definition/command.ts'
import { chosenServer } from '../definition/environment.ts'
import { CliError } from '../errors/exit.ts'
import { readSecret } from '../input/secrets.ts'

interface Asked {
  readonly server: string | undefined
  readonly context: string | undefined
  readonly user: string | undefined
  readonly keyFile: string | undefined
}

export type BotLogin = Pick<StartOptions, 'user' | 'key' | 'keys' | 'pin' | 'checkKey'> & { readonly server: string }

/**
 * The account of a bot: that of a key, from `--key-file` or `CHATCTL_BOT_KEY`, by default with the bot's name; or that of
 * a named context. Never the selected context: a person's name must not be used because a key is missing.
 */
export async function botLogin(asked: Asked, name: string, shared: Shared): Promise<BotLogin> {
  const { context, keyFile, user } = asked
  if (context !== undefined && (keyFile !== undefined || user !== undefined))
    throw new CliError(
      'usage',
      '--context does not go with --key-file or --user',
      'a context is an account with its keys',
    )
  const key = keyFile === undefined ? process.env.CHATCTL_BOT_KEY : await readSecret(keyFile, 'key')
  if (keyFile !== undefined && key === '')
    throw new CliError(
      'usage',
      `the key file ${keyFile} is empty`,
      '`chatctl users passwd NAME --bot-key` prints a new key',
    )
  if (context === undefined && key !== undefined && key !== '') {
    const server = chosenServer(asked.server)
    return { server, user: user ?? name, key, ...(await keyCheck(server, shared)) }
  }
  if (user !== undefined || shared.context === undefined) throw noKey()
  const { server, user: self, keys } = await chosenContext(shared)
  if (asked.server !== undefined && asked.server !== server)
    throw new CliError('usage', `that login is for ${server}, not ${asked.server}`, 'leave out --server')
  return { server, user: self, keys, ...(await keyCheck(server, shared)) }
}

const noKey = () =>
  new CliError(
    'authentication',
    'no key and no --context',
    'make an account with `chatctl users create NAME --bot`, and give its key as CHATCTL_BOT_KEY or with --key-file',
  )
