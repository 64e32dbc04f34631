import { readdir } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { CliError } from '../errors/exit.ts'

/** A file in the current folder that `serve` takes its settings from. Files of code run only when they are named. */
const STANDARD_NAME = /^chatctl\.config\.(json|ya?ml|toml)$/

/** The config file that was named, with `--config` or `CHATCTL_CONFIG`. */
export function namedConfigFile(asked = process.env.CHATCTL_CONFIG): string | undefined {
  return asked ? resolve(asked) : undefined
}

/** The config file in the current folder. For `serve` only, whose user starts it there: see `refuseConfigHere`. */
export async function configFileHere(): Promise<string | undefined> {
  const files = await readdir('.').catch(() => [])
  const [found] = files.filter((name) => STANDARD_NAME.test(name)).sort((one, other) => one.localeCompare(other))
  return found && resolve(found)
}

/**
 * For commands that act on a server: a file in a folder one happens to stand in must not choose which server, database
 * or plugins they use, and passing it over without a word could mean another server than the user has in mind.
 * @throws CliError `usage` when there is one
 */
export async function refuseConfigHere(): Promise<void> {
  const file = await configFileHere()
  if (file === undefined) return
  const name = relative(process.cwd(), file)
  throw new CliError(
    'usage',
    `which server: that of ${name} in this folder? Only \`serve\` reads it without being told`,
    `name it with --config ${name}, or a data folder with --data`,
  )
}
