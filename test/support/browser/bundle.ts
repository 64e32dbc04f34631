import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { tempFolder } from '../temp-folder.ts'

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

/** Runs scripts/client-bundle.mjs. @throws Error with its output when it fails */
export const bundle = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(ROOT, 'scripts/client-bundle.mjs'), ...args], { cwd: ROOT })

/** A module of dist/ as a browser loads it, in one file. */
export async function bundleOf(t: ExecutionContext, module: string): Promise<Buffer> {
  const out = join(await tempFolder(t), 'bundle.js')
  await bundle('--entry', join(ROOT, 'dist', module), '--out', out)
  return readFile(out)
}
