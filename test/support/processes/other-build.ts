import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { tempFolder } from '../temp-folder.ts'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const FOLDERS = ['core', 'plugins', 'db', 'client', 'testing', 'bot', 'cli', 'web', 'bench']

/** A place in a file of `dist/`, and what is there in the other build. */
export interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

/** Makes a build of another version of this package. @returns the path of its command */
export async function otherBuild(t: ExecutionContext, version: string, edits: readonly Edit[] = []): Promise<string> {
  const folder = await tempFolder(t)
  await mkdir(join(folder, 'dist'))
  for (const name of FOLDERS) await cp(join(ROOT, 'dist', name), join(folder, 'dist', name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const description = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...description, version }))
  for (const { file, from, to } of edits) {
    const path = join(folder, 'dist', file)
    const text = await readFile(path, 'utf8')
    if (!text.includes(from)) throw new Error(`dist/${file} has no "${from}"`)
    await writeFile(path, text.replace(from, to))
  }
  return join(folder, 'dist/cli/main.js')
}
