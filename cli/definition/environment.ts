/** Defaults of options in the environment: `CHATCTL_SERVER` and its like. An empty variable counts as unset. */
export const fromEnvironment = (name: string) => process.env[`CHATCTL_${name}`] || undefined

export const chosenServer = (server: string | undefined) => server ?? fromEnvironment('SERVER') ?? '127.0.0.1:7300'
export const chosenPasswordFile = (file: string | undefined) => file ?? fromEnvironment('PASSWORD_FILE')
