import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

const run = promisify(execFile)

export interface PackageFolder {
  /** Empty before; the package is in its `node_modules`. */
  readonly folder: string
  /** Whether npm installs the package with its dependencies, which takes minutes. Otherwise those of this checkout are linked. */
  readonly isInstalled: boolean
}

/** Packs this checkout as it was built, and installs the archive. @returns the path of its command */
export async function installPacked({ folder, isInstalled }: PackageFolder): Promise<string> {
  await mkdir(folder)
  // The build is that of the test run: another one would replace files that other tests load.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: ROOT,
  })
  const archive = join(folder, stdout.trim())
  if (isInstalled) await install(folder, archive)
  else await unpack(folder, archive)
  return join(folder, 'node_modules/chatctl/dist/cli/main.js')
}

async function install(folder: string, archive: string) {
  await writeFile(join(folder, 'package.json'), '{ "allowScripts": { "better-sqlite3": true } }')
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', archive], { cwd: folder })
}

/** Links the packages that an installation without development dependencies has, and no others. */
async function unpack(folder: string, archive: string) {
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, 'chatctl'), { recursive: true })
  await run('tar', ['-xzf', archive, '-C', join(modules, 'chatctl'), '--strip-components', '1'])
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly dev?: boolean }>>
  }
  for (const [path, { dev = false }] of Object.entries(packages)) {
    const isNested = path.lastIndexOf('node_modules/') > 0
    if (path === '' || dev || isNested || !existsSync(join(ROOT, path))) continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await symlink(join(ROOT, path), join(folder, path))
  }
}
