import { DatabaseError } from './errors.ts'

/** Where and as whom to connect to one MySQL or MariaDB server. */
export interface ConnectionSettings {
  readonly user: string
  readonly password: string
  readonly database: string
  readonly host?: string
  readonly port?: number
  readonly socketPath?: string
  readonly ssl?: object
}

/** Scheme, user and password; hosts; path and query. */
const PARTS = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/

/** Connection settings of the servers of a database URL, in the order of preference. @throws DatabaseError */
export function connectionsOf(url: string): [ConnectionSettings, ...ConnectionSettings[]] {
  const [, before = '', hosts = '', after = ''] = PARTS.exec(url) ?? []
  const [first = '', ...others] = hosts.split(',')
  const settings = (host: string) => settingsOf(`${before}${host}${after}`)
  return [settings(first), ...others.map(settings)]
}

/** Connection settings of the preferred server of a database URL. @throws DatabaseError */
export const connectionOf = (url: string): ConnectionSettings => connectionsOf(url)[0]

/** A database URL without its password and query, for output and logs. @throws DatabaseError */
export function withoutPassword(url: string): string {
  connectionsOf(url)
  const [, before = '', hosts = '', after = ''] = PARTS.exec(url) ?? []
  const [scheme, user = ''] = before.split('//')
  return `${scheme}//${user.replace(/:.*@$|@$/, '')}@${hosts}${after.replace(/[?#].*/, '')}`
}

/** Name of a server in logs and in the status. */
export const endpointName = ({ host = '', port, socketPath }: ConnectionSettings) =>
  socketPath ?? `${host.includes(':') ? `[${host}]` : host}:${port}`

function settingsOf(url: string): ConnectionSettings {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const database = decodeURIComponent(parsed?.pathname.slice(1) ?? '')
  if (parsed === undefined || parsed.hostname === '' || database === '')
    throw new DatabaseError(
      'a database URL is mysql://USER:PASSWORD@HOST:PORT/NAME, or HOST:PORT,HOST:PORT for several',
    )
  const { searchParams, username, password, hostname, port } = parsed
  const unknown = [...searchParams.keys()].find((name) => name !== 'socket' && name !== 'ssl')
  if (unknown !== undefined) throw new DatabaseError(`a database URL takes ?socket= and ?ssl=, not ?${unknown}=`)
  const socket = searchParams.get('socket')
  return {
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database,
    ...(socket === null
      ? { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 3306) }
      : { socketPath: socket }),
    ...(searchParams.get('ssl') === 'true' && { ssl: {} }),
  }
}
