import { realpath, stat } from 'node:fs/promises'
import { createRequire, register } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { SetupError } from '../errors.ts'
import type { AnyPlugin } from './plugin.ts'

/** The package's doors, so that a plugin anywhere on the disk gets this very server's `chatctl`, not a second copy. */
const DOORS = {
  'chatctl/bot': fileURLToPath(new URL('../../bot/index.js', import.meta.url)),
  'chatctl/client': fileURLToPath(new URL('../../client/index.js', import.meta.url)),
  'chatctl/plugins': fileURLToPath(new URL('../../plugins/index.js', import.meta.url)),
  'chatctl/testing': fileURLToPath(new URL('../../testing/index.js', import.meta.url)),
  chatctl: fileURLToPath(new URL('../index.js', import.meta.url)),
  // For the options of a plugin that has no packages of its own.
  zod: createRequire(import.meta.url).resolve('zod'),
}

/**
 * Loads a plugin at run time: a path (`./polls.ts`, `./polls.js`, absolute) or a package name, both seen from
 * `folder`. TypeScript is loaded as it is, through jiti.
 * @throws SetupError that names the file and what was found in it
 */
export async function loadPlugin(specifier: string, folder: string): Promise<AnyPlugin> {
  const path = await locate(specifier, folder)
  let module: Record<string, unknown>
  try {
    module = (await importFile(path)) as Record<string, unknown>
  } catch (error) {
    throw new SetupError(`cannot load plugin ${specifier}: ${(error as Error).message}`, { cause: error })
  }
  const found = [module.default, ...Object.values(module)].find(isPlugin)
  if (found !== undefined) return found
  const exports = Object.keys(module).join(', ') || 'nothing'
  throw new SetupError(`${specifier} exports no plugin (found: ${exports}); export definePlugin({ … }) as default`)
}

/**
 * Imports a file as it is, with the package's doors open to it.
 * @param options.fresh read it and what it imports from the disk again, if it was imported before
 */
export async function importFile(path: string, { fresh = false }: { fresh?: boolean } = {}): Promise<unknown> {
  if (!fresh && !/\.[cm]?ts$/.test(path)) {
    if (await hasAnotherServer(path)) openDoors()
    try {
      return await import(pathToFileURL(path).href)
    } catch (error) {
      // A plugin that lies anywhere finds `chatctl` only through the doors.
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ERR_MODULE_NOT_FOUND' || !/'(chatctl|zod)'/.test(message)) throw error
    }
  }
  const { createJiti } = await import('jiti')
  return createJiti(import.meta.url, {
    alias: DOORS,
    nativeModules: Object.values(DOORS),
    // It would lie in the temporary folder, where any user of the machine may have put other code under that name.
    fsCache: false,
    moduleCache: !fresh,
  }).import(path)
}

/**
 * Whether a file would get another copy of `chatctl` than the one that runs, as a plugin does that has it installed
 * beside it while a global one is running. Their messages and refusals would be strangers to each other.
 */
async function hasAnotherServer(path: string): Promise<boolean> {
  const found = await resolveAsImport('chatctl', path)
  return found !== undefined && (await realpath(found)) !== (await realpath(DOORS.chatctl))
}

let areDoorsOpen = false

/** From now on every import of `chatctl` in this process gets this server's. */
function openDoors() {
  if (areDoorsOpen) return
  areDoorsOpen = true
  const { zod: _, ...own } = DOORS
  const data = Object.fromEntries(Object.entries(own).map(([name, path]) => [name, pathToFileURL(path).href]))
  register(new URL('./door-hooks.js', import.meta.url), { data })
}

/**
 * The file at a path: for a folder its index.ts or index.js.
 * @throws SetupError where there is none
 */
export async function fileOf(path: string): Promise<string> {
  for (const file of [path, join(path, 'index.ts'), join(path, 'index.js')]) {
    const found = await stat(file).catch(() => undefined)
    if (found?.isFile()) return file
  }
  throw new SetupError(`there is no file ${path}`)
}

async function locate(specifier: string, folder: string): Promise<string> {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return fileOf(resolve(folder, specifier))
  const found = await resolveAsImport(specifier, resolve(folder, 'package.json'))
  if (found !== undefined) return found
  throw new SetupError(`cannot find plugin "${specifier}" from ${folder}; a file needs a path such as ./${specifier}`)
}

/** The file that `import` of a package would get in that file; Node has this only for the file that asks. */
async function resolveAsImport(specifier: string, file: string): Promise<string | undefined> {
  const { createJiti } = await import('jiti')
  const parentURL = pathToFileURL(file).href
  const url = createJiti(import.meta.url).esmResolve(specifier, { parentURL, try: true })
  return url?.startsWith('file:') ? fileURLToPath(url) : undefined
}

function isPlugin(value: unknown): value is AnyPlugin {
  if (typeof value !== 'object' || value === null) return false
  const { name, setup } = value as Partial<AnyPlugin>
  return typeof name === 'string' && typeof setup === 'function'
}
