import pino, { type DestinationStream, type Logger } from 'pino'

/** Names of fields that may hold a secret; their values are redacted. */
const SECRETS = ['password', 'secret', 'storedKey', 'serverKey', 'clientKey', 'clientFinal', 'clientFirst', 'keys']

export interface ServerLog {
  readonly log: Logger
  /** Writes the records held back since the start, and all later ones at once. */
  release(): void
}

/**
 * The server's log on stdout: NDJSON, or lines for people on a terminal. It is held until `release`, so that the first
 * line of a server's output is the record that says where it listens, before any record of a plugin.
 */
export async function openLog(level: string, pretty: boolean): Promise<ServerLog> {
  const target = await openTarget(process.stdout, pretty)
  let held: string[] | undefined = []
  const stream: DestinationStream = {
    write(line) {
      if (held === undefined) target.write(line)
      else held.push(line)
    },
  }
  return {
    log: toStream(level, stream),
    release() {
      for (const line of held ?? []) target.write(line)
      held = undefined
    },
  }
}

/** The log of a long-running command, on stderr: stdout is for data. */
export const openStderrLog = async (level: string, pretty: boolean): Promise<Logger> =>
  toStream(level, await openTarget(process.stderr, pretty))

const toStream = (level: string, stream: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: withoutValues },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
    },
    stream,
  )

/**
 * Errors of the database driver contain the statement with its values, such as texts of messages: only the code and the
 * end of the message, after the statement, are logged.
 */
function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code } = error as { code?: unknown }
  const isSql = typeof code === 'string' && /^(SQLITE_|ER_)/.test(code)
  if (!isSql) return pino.stdSerializers.err(error)
  return { type: error.name, code, message: error.message.slice(error.message.lastIndexOf(' - ') + 1) }
}

async function openTarget(destination: NodeJS.WriteStream, pretty: boolean): Promise<DestinationStream> {
  // Straight to the stream, whose EPIPE main handles; pino's own stream would throw it.
  if (!pretty) return { write: (line) => void destination.write(line) }
  const { default: prettyPrint } = await import('pino-pretty')
  return prettyPrint({ destination, ignore: 'plugin', messageFormat: '{if plugin}[{plugin}] {end}{msg}' })
}
