import { readFileSync } from 'node:fs'
import { credsAuthenticator, type NodeConnectionOptions, nkeyAuthenticator } from '@nats-io/transport-node'
import { isLoopback } from '../../../core/index.ts'
import { CliError } from '../../errors/exit.ts'

const DEFAULT_PORT = 4222
/** Files named in the URL: the seed of an nkey, credentials, and those of TLS. */
const FILES = ['nkey', 'creds', 'ca', 'cert', 'key'] as const

type FileName = (typeof FILES)[number]

/** How one server of NATS is entered. */
export interface NatsServer {
  /** `HOST:PORT`. */
  readonly address: string
  readonly access: NodeConnectionOptions
}

interface Address {
  readonly shown: string
  readonly server: string
  readonly host: string
  readonly isTls: boolean
  readonly username: string
  readonly password: string
  readonly files: ReadonlyMap<FileName, string>
}

/**
 * Reads `nats://` and `tls://` URLs, the nearest server first. Credentials and files may stand in each, or in the first one only.
 * @throws CliError for a wrong URL, for servers that are entered in different ways, and for one on another machine
 *   without authentication and TLS
 */
export function natsServers(urls: readonly string[]): NatsServer[] {
  const addresses = urls.map(addressOf)
  const [first] = addresses
  if (first === undefined) throw new CliError('usage', 'the cluster has no server of NATS')
  for (const other of addresses.slice(1)) {
    const isSame = (other.username === '' || sameUser(first, other)) && [...other.files].every(isIn(first.files))
    if (!isSame || other.isTls !== first.isTls)
      throw new CliError(
        'usage',
        `${other.shown} is entered in another way than ${first.shown}`,
        'give all servers of NATS the same credentials and files, or only the first one, and TLS to all or none',
      )
  }
  const remote = addresses.find(({ host }) => host !== 'localhost' && !isLoopback(host))
  if (remote !== undefined) refuseOpen(remote, first)
  const login = loginOf(first)
  return addresses.map(({ server, host }) => ({ address: server, access: { ...login, ...tlsOf(first, host) } }))
}

const sameUser = (one: Address, other: Address) => one.username === other.username && one.password === other.password

const isIn =
  (files: ReadonlyMap<FileName, string>) =>
  ([name, path]: [FileName, string]) =>
    files.get(name) === path

function addressOf(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(nats|tls):$/.test(url.protocol) || url.hostname === '')
    throw new CliError('usage', 'a server of NATS is nats://HOST[:PORT] or tls://USER:PASSWORD@HOST[:PORT]')
  const { protocol, hostname, port, username, password, searchParams } = url
  const host = hostname.replace(/^\[|\]$/g, '')
  const server = `${hostname}:${port || DEFAULT_PORT}`
  const unknown = [...searchParams.keys()].find((name) => !FILES.some((file) => file === name))
  if (unknown !== undefined)
    throw new CliError('usage', `a URL of NATS takes ?${FILES.join('=FILE, ?')}=FILE, not ?${unknown}=`)
  return {
    shown: `${protocol}//${server}`,
    server,
    host,
    isTls: protocol === 'tls:',
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    files: new Map(FILES.flatMap((name) => (searchParams.has(name) ? [[name, searchParams.get(name) ?? '']] : []))),
  }
}

/** Who reaches the server of NATS unchecked could speak for any node. */
function refuseOpen({ shown }: Address, { username, files, isTls }: Address) {
  if (username === '' && !files.has('nkey') && !files.has('creds'))
    throw new CliError(
      'usage',
      `${shown} is on another machine and would be entered without authentication`,
      'give it as tls://USER:PASSWORD@HOST, tls://TOKEN@HOST, or with ?nkey=FILE or ?creds=FILE',
    )
  if (!isTls)
    throw new CliError(
      'usage',
      `${shown} is on another machine and would be entered without TLS`,
      'name it tls://…, with ?ca=FILE for a certificate of your own',
    )
}

function loginOf({ username, password, files }: Address): NodeConnectionOptions {
  const [nkey, creds] = [files.get('nkey'), files.get('creds')]
  if (creds !== undefined) return { authenticator: credsAuthenticator(readSecret(creds)) }
  if (nkey !== undefined) return { authenticator: nkeyAuthenticator(readSecret(nkey)) }
  if (username === '') return {}
  return password === '' ? { token: username } : { user: username, pass: password }
}

function tlsOf({ isTls, files }: Address, host: string): NodeConnectionOptions {
  if (!isTls) return {}
  const [ca, cert, key] = [files.get('ca'), files.get('cert'), files.get('key')]
  const named = { ...(ca && { caFile: ca }), ...(cert && { certFile: cert }), ...(key && { keyFile: key }) }
  // The library passes this on to Node, which otherwise compares the certificate with `localhost` if HOST is an address.
  return { tls: { ...named, host } as NonNullable<NodeConnectionOptions['tls']> }
}

function readSecret(path: string): Uint8Array {
  try {
    return new TextEncoder().encode(readFileSync(path, 'utf8').trim())
  } catch (error) {
    throw new CliError('usage', `cannot read ${path}: ${(error as Error).message}`, 'name a file that exists')
  }
}
