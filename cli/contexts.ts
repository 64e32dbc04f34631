import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import envPaths from 'env-paths'
import type { LoginKeys } from '../client/index.ts'
import { CliError } from './exit.ts'

/** Where a person's own settings live: `$XDG_CONFIG_HOME/chatctl`, on Linux by default `~/.config/chatctl`. */
const paths = () => envPaths('chatctl', { suffix: '' })
const configFolder = () => paths().config
/** The data folder of a server when none is named: `$XDG_DATA_HOME/chatctl`. */
export const defaultData = () => paths().data

/** A login that is kept: which server, as whom, and the keys that spare the password. */
export interface Context {
  readonly name: string
  readonly server: string
  readonly user: string
  readonly keys: LoginKeys
}

/** What is known of a server: its key, and whether a login has proved that it is the right one. */
export interface KnownServer {
  readonly key: string
  readonly state: 'seen' | 'verified'
}

const contextFile = (name: string) => join(configFolder(), 'contexts', `${name}.json`)
const currentFile = () => join(configFolder(), 'current')
const serversFile = () => join(configFolder(), 'servers.json')

const CONTEXT_NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u

/** Context names are file names. */
export function checkContextName(name: string): string {
  if (CONTEXT_NAME.test(name)) return name
  throw new CliError('usage', `"${name}" cannot name a context: letters, digits, then also . _ -, at most 64`)
}

export async function readContext(name: string): Promise<Context | undefined> {
  const content = await readIfThere(contextFile(checkContextName(name)))
  if (content === undefined) return undefined
  const { server, user, keys } = JSON.parse(content)
  const bytes = (base64: string) => Buffer.from(base64, 'base64')
  return {
    name,
    server,
    user,
    keys: {
      iterations: keys.iterations,
      salt: bytes(keys.salt),
      clientKey: bytes(keys.clientKey),
      serverKey: bytes(keys.serverKey),
    },
  }
}

export async function saveContext({ name, server, user, keys }: Context) {
  const base64 = (bytes: Buffer) => bytes.toString('base64')
  await writePrivate(
    contextFile(checkContextName(name)),
    JSON.stringify(
      {
        server,
        user,
        keys: {
          iterations: keys.iterations,
          salt: base64(keys.salt),
          clientKey: base64(keys.clientKey),
          serverKey: base64(keys.serverKey),
        },
      },
      undefined,
      2,
    ),
  )
}

/** Removes a context; false if there was none. */
export async function removeContext(name: string): Promise<boolean> {
  const existed = (await readContext(name)) !== undefined
  await rm(contextFile(name), { force: true })
  if ((await currentContext()) === name) await rm(currentFile(), { force: true })
  return existed
}

export async function listContexts(): Promise<Context[]> {
  const files = await readdir(join(configFolder(), 'contexts')).catch(() => [])
  const names = files
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .filter((name) => CONTEXT_NAME.test(name))
  const contexts = await Promise.all(names.sort().map(readContext))
  return contexts.filter((context) => context !== undefined)
}

export async function currentContext(): Promise<string | undefined> {
  return (await readIfThere(currentFile()))?.trim() || undefined
}

export const useContext = (name: string) => writePrivate(currentFile(), `${name}\n`)

export async function knownServers(): Promise<Record<string, KnownServer>> {
  return JSON.parse((await readIfThere(serversFile())) ?? '{}')
}

/** Remembers a server's key; `undefined` forgets it. */
export async function rememberServer(server: string, known: KnownServer | undefined) {
  const { [server]: _old, ...others } = await knownServers()
  await writePrivate(serversFile(), JSON.stringify(known ? { ...others, [server]: known } : others, undefined, 2))
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes a file that only its owner may read, whole or not at all. */
async function writePrivate(file: string, content: string) {
  await mkdir(join(file, '..'), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  await writeFile(draft, content, { mode: 0o600 })
  await chmod(draft, 0o600)
  await rename(draft, file)
}
