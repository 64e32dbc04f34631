/** Defaults of options in the environment: `CHATCTL_SERVER` and its like. An empty variable counts as unset. */
export const fromEnvironment = (name: string) => process.env[`CHATCTL_${name}`] || undefined

export const chosenServer = (server: string | undefined) =>
  canonical(server ?? fromEnvironment('SERVER') ?? '127.0.0.1:7300')

/** One spelling of addresses: a server's key is kept under them. */
const canonical = (servers: string) =>
  servers
    .split(',')
    .map((server) => server.trim().replace(/^(wss?:\/\/[^/]+)\/?$/, '$1/chat'))
    .join(',')
export const chosenPasswordFile = (file: string | undefined) => file ?? fromEnvironment('PASSWORD_FILE')
