import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError } from './exit.ts'

const TEMPLATE = fileURLToPath(new URL('../../templates/bot', import.meta.url))
const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url))

/** Names that are an account, a folder and a package. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/

/**
 * Writes the folder of a new bot.
 * @returns the names of its files
 * @throws CliError for a name that cannot be, or a folder in which there is something
 */
export async function writeBot(name: string, folder: string): Promise<string[]> {
  if (!NAME.test(name))
    throw new CliError('usage', `"${name}" cannot name a bot here: a to z, digits, - and _, at most 64`)
  const { version }: { version: string } = JSON.parse(await readFile(PACKAGE, 'utf8'))
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).length > 0) throw new CliError('failed', `there is something in ${folder} already`)
  // npm takes no .gitignore into a package.
  const files = (await readdir(TEMPLATE)).map((file) => ({ file, as: file.replace(/^_/, '.') }))
  for (const { file, as } of files) {
    const text = await readFile(join(TEMPLATE, file), 'utf8')
    await writeFile(join(folder, as), text.replaceAll('{{name}}', name).replaceAll('{{version}}', version))
  }
  return files.map(({ as }) => as).sort()
}
