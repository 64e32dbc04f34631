import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'

/**
 * The config file that is meant: the named one, `CHATCTL_CONFIG`, or one in the current folder. Code is run only when it
 * is named: a folder one happens to stand in must not be able to run any.
 */
export async function findConfigFile(asked = process.env.CHATCTL_CONFIG): Promise<string | undefined> {
  if (asked) return resolve(asked)
  const files = await readdir('.').catch(() => [])
  const found = files.find((name) => /^chatctl\.config\.(json|ya?ml|toml)$/.test(name))
  return found && resolve(found)
}
