import { readFile } from 'node:fs/promises'
import { dirname, extname, isAbsolute, resolve } from 'node:path'
import { CliError } from '../errors/exit.ts'
import { reasonOf } from '../errors/system-error.ts'

/** How a config file is read, by its ending. Only files of code run code. */
const READERS: Readonly<Record<string, (file: string) => Promise<unknown>>> = {
  '.json': async (file) => JSON.parse(await readFile(file, 'utf8')),
  '.yaml': async (file) => (await import('confbox/yaml')).parseYAML(await readFile(file, 'utf8')),
  '.yml': (file) => readSettings('.yaml', file),
  '.toml': async (file) => (await import('confbox/toml')).parseTOML(await readFile(file, 'utf8')),
  '.js': async (file) => {
    const { importFile } = await import('../../core/plugin/plugin-loader.ts')
    return ((await importFile(file)) as { default?: unknown }).default
  },
  '.mjs': (file) => readSettings('.js', file),
  '.ts': (file) => readSettings('.js', file),
  '.mts': (file) => readSettings('.js', file),
}

async function readSettings(ending: string, file: string): Promise<unknown> {
  const read = READERS[ending]
  if (read === undefined) throw new Error(`its name ends with none of ${Object.keys(READERS).join(', ')}`)
  return read(file)
}

/** The settings of a config file. @throws CliError `usage` */
export async function settingsOf(file: string): Promise<Record<string, unknown>> {
  const folder = dirname(file)
  let settings: Record<string, unknown>
  try {
    const read = (await readSettings(extname(file), file)) ?? {}
    if (typeof read !== 'object' || Array.isArray(read)) throw new Error('it does not hold settings by name')
    settings = read as Record<string, unknown>
  } catch (error) {
    throw new CliError('usage', `cannot read the config file ${file}: ${reasonOf(error)}`)
  }
  const { data, files, plugins } = settings
  return {
    ...settings,
    ...Object.fromEntries(
      PORTS.flatMap((name) => (typeof settings[name] === 'number' ? [[name, String(settings[name])]] : [])),
    ),
    ...(typeof data === 'string' && { data: resolve(folder, data) }),
    ...(typeof files === 'string' && { files: storePlace(files, folder) }),
    ...(Array.isArray(plugins) && { plugins: plugins.map((specifier) => absolute(String(specifier), folder)) }),
  }
}

/** A mere port is a number in most formats. */
const PORTS = ['legacy', 'http', 'metrics'] as const

/** Files are seen from where they are named; package names stay as they are. */
export const absolute = (specifier: string, folder: string) =>
  specifier.startsWith('.') || isAbsolute(specifier) ? resolve(folder, specifier) : specifier

/** A folder is seen from where it is named; a store elsewhere is a URL. */
export const storePlace = (place: string, folder: string) =>
  place === '' || place.startsWith('s3://') ? place : resolve(folder, place)
