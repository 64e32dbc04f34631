import { execFile } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const PACKAGES = ['zod', 'jiti', 'typescript', '@types/node']

/** Links this package and its dependencies into a bot's folder, in place of `npm install`. */
export async function install(folder: string) {
  const modules = join(folder, 'node_modules')
  for (const name of ['.bin', '@types']) await mkdir(join(modules, name), { recursive: true })
  await symlink(ROOT, join(modules, 'chatctl'))
  for (const name of PACKAGES) await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  await symlink(join(modules, 'typescript/bin/tsc'), join(modules, '.bin/tsc'))
  await symlink(join(modules, 'jiti/lib/jiti-cli.mjs'), join(modules, '.bin/jiti'))
}

/** Runs a program in a folder, with the folder's programs in PATH. @throws Error when it fails */
export const runIn = (folder: string, program: string, args: readonly string[]) =>
  promisify(execFile)(program, args, {
    cwd: folder,
    env: { PATH: `${join(folder, 'node_modules/.bin')}:${process.env.PATH}`, HOME: folder },
  })
