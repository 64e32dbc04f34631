import { readdir, rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import envPaths from 'env-paths'
import type { LoginKeys } from '../../client/index.ts'
import { CliError } from '../errors/exit.ts'
import { reasonOf } from '../errors/system-error.ts'
import { readIfThere, writePrivate } from './private-file.ts'

/** Folder of a user's own settings: `$XDG_CONFIG_HOME/chatctl`, on Linux by default `~/.config/chatctl`. */
const paths = () => envPaths('chatctl', { suffix: '' })
/** Own settings and keys. @throws CliError where there is no home: the current folder must not take its place */
export const configFolder = () => own(paths().config, 'XDG_CONFIG_HOME')
/** The data folder of a server when none is named: `$XDG_DATA_HOME/chatctl`. @throws CliError */
export const defaultData = () => own(paths().data, 'XDG_DATA_HOME')

function own(folder: string, variable: string): string {
  if (isAbsolute(folder)) return folder
  throw new CliError('usage', `neither HOME nor ${variable} is an absolute path`, 'set one of them')
}

/** A kept login: server, user, and the SCRAM keys that replace the password. */
export interface Context {
  readonly name: string
  readonly server: string
  readonly user: string
  readonly keys: LoginKeys
}

const contextFile = (name: string) => join(configFolder(), 'contexts', `${name}.json`)
const currentFile = () => join(configFolder(), 'current')

const CONTEXT_NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u

/** Context names are file names. */
export function checkContextName(name: string): string {
  if (CONTEXT_NAME.test(name)) return name
  throw new CliError('usage', `"${name}" cannot name a context: letters, digits, then also . _ -, at most 64`)
}

/** `authentication`, as docs/AUTOMATION.md defines it: only a person can log in. */
export const noSuchContext = (name: string) =>
  new CliError(
    'authentication',
    `there is no context "${name}"`,
    `\`chatctl context list\` shows those there are; \`chatctl login NAME --context ${name}\` makes it`,
  )

/** A kept login; undefined if there is none of that name. @throws CliError that names a file that holds none */
export async function readContext(name: string): Promise<Context | undefined> {
  const file = contextFile(checkContextName(name))
  const content = await readIfThere(file)
  return content === undefined ? undefined : parseContext(name, file, content)
}

function parseContext(name: string, file: string, content: string): Context {
  const bytes = (base64: unknown) => {
    if (typeof base64 !== 'string' || base64 === '') throw new TypeError('a key is missing')
    return Buffer.from(base64, 'base64')
  }
  try {
    const { server, user, keys } = JSON.parse(content)
    if (typeof server !== 'string' || typeof user !== 'string' || !Number.isInteger(keys?.iterations))
      throw new TypeError('server, user or keys are missing')
    const { iterations } = keys
    const [salt, clientKey, serverKey] = [bytes(keys.salt), bytes(keys.clientKey), bytes(keys.serverKey)]
    return { name, server, user, keys: { iterations, salt, clientKey, serverKey } }
  } catch (error) {
    throw new CliError(
      'failed',
      `${file} does not hold a login: ${(error as Error).message}`,
      `\`chatctl context remove ${name}\` deletes it, \`chatctl login NAME --context ${name}\` makes it anew`,
    )
  }
}

/** @throws CliError */
export async function saveContext({ name, server, user, keys }: Context) {
  const base64 = (bytes: Buffer) => bytes.toString('base64')
  const { iterations } = keys
  const [salt, clientKey, serverKey] = [base64(keys.salt), base64(keys.clientKey), base64(keys.serverKey)]
  const content = { server, user, keys: { iterations, salt, clientKey, serverKey } }
  await writePrivate(contextFile(checkContextName(name)), JSON.stringify(content, undefined, 2))
}

/** Removes a context, whatever its file holds; false if there was none. */
export async function removeContext(name: string): Promise<boolean> {
  const existed = (await contextNames()).includes(checkContextName(name))
  await rm(contextFile(name), { force: true })
  if ((await currentContext()) === name) await rm(currentFile(), { force: true })
  return existed
}

/** Names of the kept logins, in order. */
export async function contextNames(): Promise<string[]> {
  const folder = join(configFolder(), 'contexts')
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new CliError('failed', `cannot read ${folder}: ${reasonOf(error)}`)
  })
  const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length))
  return names.filter((name) => CONTEXT_NAME.test(name)).sort()
}

/** All kept logins, and in their place the errors of files that hold none. */
export async function listContexts(): Promise<(Context | { readonly name: string; readonly broken: CliError })[]> {
  const found = await Promise.all(
    (await contextNames()).map((name) =>
      readContext(name).catch((error) => {
        if (error instanceof CliError) return { name, broken: error }
        throw error
      }),
    ),
  )
  return found.filter((context) => context !== undefined)
}

/** Name of the selected login. */
export async function currentContext(): Promise<string | undefined> {
  return (await readIfThere(currentFile()))?.trim() || undefined
}

export const useContext = (name: string) => writePrivate(currentFile(), `${name}\n`)
