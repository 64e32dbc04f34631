import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from '../errors/exit.ts'
import { reasonOf } from '../errors/system-error.ts'
import { configFolder } from './contexts.ts'
import { isReadOnly, makePrivate, readIfThere, writePrivate } from './private-file.ts'

/** A known server: its key, and whether a login has verified it. */
export interface KnownServer {
  readonly key: string
  readonly state: 'seen' | 'verified'
}

/**
 * A file a server: commands that run at the same time never write the same file for different servers, so none of them
 * can lose what another one has learnt.
 */
const serversFolder = () => join(configFolder(), 'servers')
const serverFile = (server: string) => join(serversFolder(), `${encodeURIComponent(server)}.json`)
/** All servers in one file, as earlier versions kept them. */
const formerFile = () => join(configFolder(), 'servers.json')

/**
 * What is known of a server, or of several in a list: they have one key, so that of one of them is that of all.
 * @throws CliError that names a file that holds no key: it is never taken for a server that is not known
 */
export async function knownServer(servers: string): Promise<KnownServer | undefined> {
  for (const server of new Set([servers, ...servers.split(',')])) {
    const known = await knownUnder(server)
    if (known !== undefined) return known
  }
  return undefined
}

async function knownUnder(server: string): Promise<KnownServer | undefined> {
  const file = serverFile(server)
  const content = await readIfThere(file)
  if (content !== undefined) return parseServer(server, file, content)
  return (await formerServers())[server]
}

/** Addresses of all servers whose key is kept. @throws CliError */
export async function knownServerNames(): Promise<string[]> {
  const files = await readdir(serversFolder()).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new CliError('failed', `cannot read ${serversFolder()}: ${reasonOf(error)}`)
  })
  const names = files
    .filter((file) => file.endsWith('.json'))
    .map((file) => decodeURIComponent(file.slice(0, -'.json'.length)))
  return [...new Set([...names, ...Object.keys(await formerServers())])].sort()
}

/** Remembers a server's key. @throws CliError */
export const rememberServer = (server: string, { key, state }: KnownServer) =>
  writePrivate(serverFile(server), JSON.stringify({ key, state }, undefined, 2))

/**
 * The same for commands that do their work also where the folder may only be read.
 * @returns what to tell the user where the key could not be kept
 */
export async function rememberIfWritable(server: string, known: KnownServer): Promise<string | undefined> {
  try {
    await rememberServer(server, known)
    return undefined
  } catch (error) {
    if (!isReadOnly(error)) throw error
    return `the key of ${server} is not kept: ${(error as Error).message}`
  }
}

/**
 * Forgets a server's key, whatever its file holds.
 * @returns the key, empty if the file held none, undefined if there was no file
 * @throws CliError
 */
export async function forgetServer(server: string): Promise<string | undefined> {
  await takeOverFormer()
  const file = serverFile(server)
  const content = await readIfThere(file)
  if (content === undefined) return undefined
  await rm(file, { force: true })
  return /SHA256:[\w+/=]+/.exec(content)?.[0] ?? ''
}

async function formerServers(): Promise<Record<string, KnownServer>> {
  const content = await readIfThere(formerFile())
  if (content === undefined) return {}
  const broken = (why: string) =>
    new CliError(
      'failed',
      `${formerFile()} does not hold the keys of servers: ${why}`,
      'delete it; the keys of all servers are then taken at the next contact, so compare them with what they print',
    )
  let parsed: Record<string, KnownServer>
  try {
    parsed = JSON.parse(content)
  } catch (error) {
    throw broken((error as Error).message)
  }
  const wrong = Object.entries(parsed ?? {}).find(([, known]) => typeof known?.key !== 'string')
  if (wrong !== undefined || parsed === null) throw broken('it has another form')
  return parsed
}

/** Any number of processes may do it at once: each file is made once, and what is there is newer. */
async function takeOverFormer() {
  for (const [server, known] of Object.entries(await formerServers()))
    await makePrivate(serverFile(server), JSON.stringify(known, undefined, 2))
  await rm(formerFile(), { force: true })
}

function parseServer(server: string, file: string, content: string): KnownServer {
  try {
    const { key, state } = JSON.parse(content)
    if (typeof key === 'string' && (state === 'seen' || state === 'verified')) return { key, state }
    throw new TypeError('key or state is missing')
  } catch (error) {
    throw new CliError(
      'failed',
      `${file} does not hold the key of a server: ${(error as Error).message}`,
      `\`chatctl context forget ${server}\` deletes it; compare the server's key at the next contact`,
    )
  }
}
