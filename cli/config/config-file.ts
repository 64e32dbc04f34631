import { readdir } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { CliError } from '../errors/exit.ts'

/** Config files that `serve` reads from the current folder. Not .js or .ts: code runs only when its file is named. */
const STANDARD_NAME = /^chatctl\.config\.(json|ya?ml|toml)$/

/** The config file of `--config` or `CHATCTL_CONFIG`. */
export function namedConfigFile(asked = process.env.CHATCTL_CONFIG): string | undefined {
  return asked ? resolve(asked) : undefined
}

/** The config file in the current folder, for `serve` only: see `refuseConfigHere`. */
export async function configFileHere(): Promise<string | undefined> {
  const files = await readdir('.').catch(() => [])
  const [found] = files.filter((name) => STANDARD_NAME.test(name)).sort((one, other) => one.localeCompare(other))
  return found && resolve(found)
}

/**
 * For commands that act on a server: a file in the current folder must not choose its server, database or plugins, and
 * silently ignoring it could act on another server than the user means.
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
