import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FIRST_FOREIGN_TYPE } from '../../core/wire/message.ts'
import { CliError } from '../errors/exit.ts'
import { reasonOf } from '../errors/system-error.ts'

/** Root of this package; `templates/` is in it. */
const PACKAGE = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
const TEMPLATES = join(PACKAGE, 'templates')

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const MAX_NAME_LENGTH = 40

/** @throws CliError `usage` */
export function checkName(name: string) {
  if (!NAME.test(name) || name.length > MAX_NAME_LENGTH)
    throw new CliError(
      'usage',
      `"${name}" cannot be a name: a letter, then a-z, 0-9 and single dashes, at most ${MAX_NAME_LENGTH}`,
    )
}

/** Numbers of message types outside this package: how many ranges, and the size of a range. */
const TYPE_NUMBERS = { count: 100_000, apart: 100 }

/** First message type of a new plugin: a range chosen by the hash of its name, so that collisions are unlikely. */
export function messageNumber(name: string): number {
  const { count, apart } = TYPE_NUMBERS
  return FIRST_FOREIGN_TYPE + (createHash('sha256').update(name).digest().readUInt32BE() % count) * apart
}

/**
 * Writes a folder from a template; placeholders are replaced, in file names too.
 * @param words placeholders and their values; the longer first where one contains another
 * @returns the files, relative to the folder
 * @throws CliError when something is there already
 */
export async function writeTemplate(
  template: string,
  folder: string,
  words: readonly (readonly [string, string])[],
): Promise<string[]> {
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new CliError('failed', `cannot write to ${folder}: ${reasonOf(error)}`, 'give another folder with --dir')
  })
  if (there.length > 0) throw new CliError('failed', `${folder} is not empty`, 'give another name, or --dir')
  // In one pass: a value is not searched for placeholders.
  const pattern = new RegExp(words.map(([word]) => word.replace(/[{}]/g, '\\$&')).join('|'), 'g')
  const values = new Map(words)
  const replaced = (text: string) => text.replace(pattern, (word) => values.get(word) ?? word)
  const source = join(TEMPLATES, template)
  await mkdir(folder, { recursive: true })
  const written: string[] = []
  for (const file of (await readdir(source)).sort()) {
    // npm leaves files of that name out of a package.
    const name = file === '_gitignore' ? '.gitignore' : replaced(file)
    await writeFile(join(folder, name), replaced(await readFile(join(source, file), 'utf8')))
    written.push(name)
  }
  if (!canResolvePackage(folder)) await addPackage(join(folder, 'package.json'))
  return written.sort()
}

/** The commands to type next: enter the folder, install, then `then`. */
export function nextSteps(folder: string, then: readonly string[]): string[] {
  const where = relative(process.cwd(), folder) || '.'
  return ['next:', ...[`cd ${where}`, 'npm install', ...then].map((step) => `  ${step}`)]
}

/** Whether modules in that folder can import this package. */
function canResolvePackage(folder: string): boolean {
  try {
    createRequire(join(folder, 'package.json')).resolve('chatctl/package.json')
    return true
  } catch {
    return false
  }
}

/** Adds a link to this package, and the exact version of zod that it uses: types of another version do not fit. */
async function addPackage(file: string) {
  const zod = createRequire(import.meta.url)('zod/package.json') as { version: string }
  const described = JSON.parse(await readFile(file, 'utf8'))
  const devDependencies = { ...described.devDependencies, chatctl: `file:${PACKAGE}`, zod: zod.version }
  await writeFile(file, `${JSON.stringify({ ...described, devDependencies }, undefined, 2)}\n`)
}
