import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { z } from 'zod'
import type { TcpAddress } from '../../core/index.ts'
import { isDatabaseUrl } from '../../db/open.ts'
import { BUILT_IN_LIMITS, type KnownLimitSettings } from '../../plugins/built-in-limits.ts'
import { CliError } from '../errors/exit.ts'
import { configFileHere, namedConfigFile, refuseConfigHere } from './config-file.ts'
import { defaultData } from './contexts.ts'
import { checkLimits, readLimits } from './limits.ts'
import { absolute, settingsOf, storePlace } from './settings-file.ts'

/** Settings of a server: flags, then CHATCTL_…, then the config file, then defaults. */

const limitsSchema = z.record(z.string(), z.number().int().min(0))

const schema = z.strictObject({
  host: z.string().min(1),
  port: z.number().int().min(0).max(65_535),
  data: z.string().min(1),
  db: z.string().refine((url) => url === '' || isDatabaseUrl(url), 'is mysql://USER:PASSWORD@HOST:PORT/NAME'),
  files: z.string(),
  cluster: z.array(z.string()),
  nodeName: z.string(),
  plugins: z.array(z.string()),
  without: z.array(z.string()),
  options: z.record(z.string(), z.unknown()),
  limits: z.union([z.literal('off'), limitsSchema]),
  legacy: z.string().refine((where) => where === '' || isAddress(where), 'is [HOST:]PORT'),
  http: z.string().refine((where) => where === 'off' || isAddress(where), 'is [HOST:]PORT or off'),
  metrics: z.string().refine((where) => where === 'off' || isAddress(where), 'is [HOST:]PORT or off'),
  httpOrigins: z.array(z.string()),
  trustedProxies: z.array(z.string()),
  migrate: z.boolean(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  logFormat: z.enum(['auto', 'json', 'pretty']),
})

export type ServerConfig = z.infer<typeof schema>
type Setting = keyof ServerConfig
type Settings = { readonly [K in Setting]?: unknown }

export interface Configured {
  readonly config: ServerConfig
  /** Where each setting came from: `flag --port`, `CHATCTL_PORT`, a file, `default`. */
  readonly origin: Readonly<Record<Setting, string>>
  /** Where packages among the plugins are looked for. */
  readonly pluginFolder: string
  /** The limits that are not the default. */
  readonly limits: KnownLimitSettings | 'off'
  /** Where to listen for clients of the original. */
  readonly legacy: TcpAddress | undefined
  /** Where to listen for HTTP. */
  readonly http: TcpAddress | undefined
  /** Where to serve metrics. */
  readonly metrics: TcpAddress | undefined
}

const defaults = (): Settings => ({
  host: '127.0.0.1',
  port: 7300,
  data: defaultData(),
  // Empty: chat.db in the data folder.
  db: '',
  // Empty: the folder `files` in the data folder.
  files: '',
  // Empty: the server has the database for itself.
  cluster: [],
  // Empty: the name of the machine.
  nodeName: '',
  plugins: [],
  without: [],
  options: {},
  limits: {},
  // Empty: no listener for clients of the original.
  legacy: '',
  http: 'off',
  metrics: 'off',
  httpOrigins: [],
  trustedProxies: [],
  migrate: false,
  logLevel: 'info',
  logFormat: 'auto',
})

/** Command line flags of `serve` and similar commands. */
export interface ServeFlags {
  config?: string | undefined
  host?: string | undefined
  port?: number | undefined
  data?: string | undefined
  db?: string | undefined
  files?: string | undefined
  cluster?: string[] | undefined
  'node-name'?: string | undefined
  plugin?: string[] | undefined
  without?: string[] | undefined
  limits?: string | undefined
  legacy?: string | undefined
  http?: string | undefined
  'http-origin'?: string[] | undefined
  metrics?: string | undefined
  'trusted-proxy'?: string[] | undefined
  migrate?: boolean | undefined
  'log-level'?: string | undefined
  'log-format'?: string | undefined
}

export interface ConfigOptions {
  readonly environment?: NodeJS.ProcessEnv
  /** Whether a config file in the current folder counts, as it does for `serve`. Otherwise it is refused. */
  readonly here?: boolean
}

/**
 * @throws CliError `usage` that names every wrong setting and where it came from, or a config file in the current folder
 * that may be meant, where no file and no data folder is named
 */
export async function readConfig(
  flags: ServeFlags,
  { environment = process.env, here = false }: ConfigOptions = {},
): Promise<Configured> {
  const named = namedConfigFile(flags.config ?? environment.CHATCTL_CONFIG)
  const file = named ?? (here ? await configFileHere() : undefined)
  if (file === undefined && !here && flags.data === undefined && !environment.CHATCTL_DATA) await refuseConfigHere()
  const layers: [settings: Settings, origin: (name: Setting) => string][] = [
    [fromFlags(flags), (name) => `flag --${FLAG_OF[name] ?? name}`],
    [fromEnvironment(environment), (name) => environmentName(name)],
    ...(file === undefined ? [] : [[await settingsOf(file), () => file] as [Settings, () => string]]),
    [defaults(), () => 'default'],
  ]
  const merged: Record<string, unknown> = {}
  const origin = {} as Record<Setting, string>
  for (const name of Object.keys(schema.shape) as Setting[]) {
    const [settings, from] = layers.find(([settings]) => settings[name] !== undefined) as (typeof layers)[number]
    merged[name] = settings[name]
    origin[name] = from(name)
  }
  const unknown = Object.keys(layers.find(([, from]) => from('host') === file)?.[0] ?? {}).find(
    (name) => !(name in schema.shape),
  )
  if (unknown !== undefined) throw new CliError('usage', `${file}: there is no setting "${unknown}"`, settingsHint())
  checkLimits(merged.limits, origin.limits, Object.keys(BUILT_IN_LIMITS))
  const parsed = schema.safeParse(merged)
  if (!parsed.success)
    throw new CliError('usage', parsed.error.issues.map((issue) => describe(issue, origin)).join('; '))
  const config = parsed.data
  const [legacy, http, metrics] = [config.legacy, config.http, config.metrics].map(addressOf)
  const open = [config, legacy, http].find((where) => where !== undefined && !isLoopback(where.host))?.host
  if (config.limits === 'off' && open !== undefined)
    throw new CliError(
      'usage',
      `--limits off is for loopback only, and ${open} is not`,
      'leave it out, or listen on 127.0.0.1',
    )
  const limits = config.limits as KnownLimitSettings | 'off'
  const pluginFolder = file !== undefined && origin.plugins === file ? dirname(file) : process.cwd()
  return { config, origin, pluginFolder, limits, legacy, http, metrics }
}

const FLAG_OF: Partial<Record<Setting, string>> = {
  plugins: 'plugin',
  nodeName: 'node-name',
  httpOrigins: 'http-origin',
  trustedProxies: 'trusted-proxy',
  logLevel: 'log-level',
  logFormat: 'log-format',
}

const settingsHint = () => `settings: ${Object.keys(schema.shape).join(', ')}`

const environmentName = (name: Setting) => `CHATCTL_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`

function describe(
  { path, message }: { path: PropertyKey[]; message: string },
  origin: Record<Setting, string>,
): string {
  const [setting = ''] = path.map(String)
  return `${path.join('.')}: ${message} (from ${origin[setting as Setting] ?? 'nowhere'})`
}

/** An origin for an error, a file relative to the current folder; undefined for a default. */
export function shownOrigin(origin: string): string | undefined {
  if (origin === 'default') return undefined
  const path = relative(process.cwd(), origin)
  return isAbsolute(origin) && !path.startsWith('..') ? `./${path}` : origin
}

/** `4444`, `0.0.0.0:4444` or `[::1]:4444`. */
const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]:|([^:\s]+):)?([0-9]{1,5})$/
const isAddress = (where: string) => Number(ADDRESS.exec(where)?.[3] ?? 65_536) <= 65_535

/** Undefined where nothing is listened on. */
function addressOf(where: string): TcpAddress | undefined {
  if (where === '' || where === 'off') return undefined
  const [, inBrackets, plain, port] = ADDRESS.exec(where) ?? []
  return { host: inBrackets ?? plain ?? '127.0.0.1', port: Number(port) }
}

export const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.')

function fromFlags(flags: ServeFlags): Settings {
  const { host, port, data, db, files, plugin, without, limits, legacy, http, metrics, migrate } = flags
  return {
    host,
    port,
    data: data === undefined ? undefined : resolve(data),
    db,
    files: files === undefined ? undefined : storePlace(files, process.cwd()),
    cluster: flags.cluster?.flatMap((urls) => entriesOf(urls)),
    nodeName: flags['node-name'],
    plugins: plugin?.map((specifier) => absolute(specifier, process.cwd())),
    without,
    limits: limits === undefined ? undefined : readLimits(limits),
    legacy,
    http,
    metrics,
    httpOrigins: flags['http-origin'],
    trustedProxies: flags['trusted-proxy'],
    migrate,
    logLevel: flags['log-level'],
    logFormat: flags['log-format'],
  }
}

/** `CHATCTL_LIMITS` and `CHATCTL_OPTIONS` are JSON, lists are separated by commas. */
function fromEnvironment(environment: NodeJS.ProcessEnv): Settings {
  const text = (name: Setting) => environment[environmentName(name)] || undefined
  const list = (name: Setting) => {
    const value = text(name)
    return value === undefined ? undefined : entriesOf(value)
  }
  const json = (name: Setting) => {
    const value = text(name)
    return value === undefined ? undefined : parseJson(value, environmentName(name))
  }
  const data = text('data')
  const stored = text('files')
  const migrate = text('migrate')
  return {
    host: text('host'),
    port: text('port') === undefined ? undefined : Number(text('port')),
    data: data === undefined ? undefined : resolve(data),
    db: text('db'),
    files: stored === undefined ? undefined : storePlace(stored, process.cwd()),
    cluster: list('cluster'),
    nodeName: text('nodeName'),
    plugins: list('plugins')?.map((specifier) => absolute(specifier, process.cwd())),
    without: list('without'),
    options: json('options'),
    limits: text('limits') === 'off' ? 'off' : json('limits'),
    legacy: text('legacy'),
    http: text('http'),
    metrics: text('metrics'),
    httpOrigins: list('httpOrigins'),
    trustedProxies: list('trustedProxies'),
    migrate: migrate === undefined ? undefined : (SWITCH[migrate] ?? migrate),
    logLevel: text('logLevel'),
    logFormat: text('logFormat'),
  }
}

/** Entries that are separated by commas. */
const entriesOf = (text: string) => text.split(',').map((entry) => entry.trim())

/** Words for yes and no; the schema refuses others. */
const SWITCH: Readonly<Record<string, boolean>> = {
  true: true,
  '1': true,
  yes: true,
  false: false,
  '0': false,
  no: false,
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CliError('usage', `${where}: ${(error as Error).message}`, 'it takes JSON, such as {"NAME": VALUE}')
  }
}
