import { createRequire } from 'node:module'
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { SetupError } from './errors.ts'
import type { AnyPlugin } from './plugin.ts'

/** The package's doors, so that a plugin anywhere on the disk gets this very server's `chatctl`, not a second copy. */
const DOORS = {
  'chatctl/client': fileURLToPath(new URL('../client/index.js', import.meta.url)),
  'chatctl/plugins': fileURLToPath(new URL('../plugins/index.js', import.meta.url)),
  'chatctl/testing': fileURLToPath(new URL('../testing/index.js', import.meta.url)),
  chatctl: fileURLToPath(new URL('./index.js', import.meta.url)),
  // For the options of a plugin that has no packages of its own.
  zod: createRequire(import.meta.url).resolve('zod'),
}

/**
 * Loads a plugin at run time: a path (`./polls.ts`, `./polls.js`, absolute) or a package name, both seen from
 * `folder`. TypeScript is loaded as it is, through jiti.
 * @throws SetupError that names the file and what was found in it
 */
export async function loadPlugin(specifier: string, folder: string): Promise<AnyPlugin> {
  const path = locate(specifier, folder)
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

async function importFile(path: string): Promise<unknown> {
  if (!/\.[cm]?ts$/.test(path)) {
    try {
      return await import(pathToFileURL(path).href)
    } catch (error) {
      // A plugin that lies anywhere finds `chatctl` only through the doors.
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ERR_MODULE_NOT_FOUND' || !/'(chatctl|zod)'/.test(message)) throw error
    }
  }
  const { createJiti } = await import('jiti')
  return createJiti(import.meta.url, { alias: DOORS, nativeModules: Object.values(DOORS) }).import(path)
}

function locate(specifier: string, folder: string): string {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return resolve(folder, specifier)
  try {
    return createRequire(resolve(folder, 'package.json')).resolve(specifier)
  } catch (error) {
    throw new SetupError(
      `cannot find plugin "${specifier}" from ${folder}; a file needs a path such as ./${specifier}`,
      {
        cause: error,
      },
    )
  }
}

function isPlugin(value: unknown): value is AnyPlugin {
  if (typeof value !== 'object' || value === null) return false
  const { name, setup } = value as Partial<AnyPlugin>
  return typeof name === 'string' && typeof setup === 'function'
}
