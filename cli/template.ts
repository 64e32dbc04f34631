import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FIRST_FOREIGN_TYPE } from '../core/wire/message.ts'
import { CliError } from './exit.ts'

/** This package, and in it the templates, as they are written. */
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const TEMPLATES = join(PACKAGE, 'templates')

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const MOST_LETTERS = 40

/** @throws CliError `usage` */
export function checkName(name: string) {
  if (!NAME.test(name) || name.length > MOST_LETTERS)
    throw new CliError(
      'usage',
      `"${name}" is no name: a letter, then a-z, 0-9 and single dashes, at most ${MOST_LETTERS}`,
    )
}

/** How many numbers of message types there are to choose from, and how far apart. */
const NUMBERS = { count: 100_000, apart: 100 }

/** Where the message types of a plugin of that name may begin: others will hardly have taken those numbers. */
export function messageNumber(name: string): number {
  const { count, apart } = NUMBERS
  return FIRST_FOREIGN_TYPE + (createHash('sha256').update(name).digest().readUInt32BE() % count) * apart
}

/**
 * Writes a folder from a template; what stands for a name in the template, in file names too, is replaced.
 * @param words what to replace, longest first where one holds another
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
    throw new CliError('failed', `cannot write to ${folder}: ${error.message}`)
  })
  if (there.length > 0) throw new CliError('failed', `${folder} is not empty`, 'give another name, or --dir')
  // In one pass, or a word could be replaced in what has just taken the place of another.
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
  if (!isInReach(folder)) await addPackage(join(folder, 'package.json'))
  return written.sort()
}

/** What to type after a folder was written: how to go there, install, and `then`. */
export function nextSteps(folder: string, then: readonly string[]): string[] {
  const where = relative(process.cwd(), folder) || '.'
  return ['next:', ...[`cd ${where}`, 'npm install', ...then].map((step) => `  ${step}`)]
}

/** Whether programs in that folder find this package. */
function isInReach(folder: string): boolean {
  try {
    createRequire(join(folder, 'package.json')).resolve('chatctl/package.json')
    return true
  } catch {
    return false
  }
}

/** For a folder that does not find this package: a link to it, and the very zod it uses, whose types fit no other. */
async function addPackage(file: string) {
  const zod = createRequire(import.meta.url)('zod/package.json') as { version: string }
  const described = JSON.parse(await readFile(file, 'utf8'))
  const devDependencies = { ...described.devDependencies, chatctl: `file:${PACKAGE}`, zod: zod.version }
  await writeFile(file, `${JSON.stringify({ ...described, devDependencies }, undefined, 2)}\n`)
}
