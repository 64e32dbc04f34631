import type { Writable } from 'node:stream'
import pino, { type DestinationStream, type Logger } from 'pino'

/** Names under which a secret could get into a log record; their values never do. */
const SECRETS = ['password', 'secret', 'storedKey', 'serverKey', 'clientKey', 'clientFinal', 'clientFirst', 'keys']

export interface ServerLog {
  readonly log: Logger
  /** Lets out what was logged since the start; until then nothing is written. */
  release(): void
}

/**
 * The server's log on stdout: NDJSON, or lines for people on a terminal. It is held until `release`, so that the first
 * line of a server's output is the record that says where it listens, whatever plugins say while they start.
 */
export async function openLog(level: string, pretty: boolean): Promise<ServerLog> {
  const target = pretty ? await prettyStream() : plainStream()
  let held: string[] | undefined = []
  const stream: DestinationStream = {
    write(line) {
      if (held === undefined) target.write(line)
      else held.push(line)
    },
  }
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
    },
    stream,
  )
  return {
    log,
    release() {
      for (const line of held ?? []) target.write(line)
      held = undefined
    },
  }
}

function plainStream(): DestinationStream {
  // Straight to stdout, whose EPIPE main deals with; pino's own stream would throw it from within.
  return { write: (line) => void process.stdout.write(line) }
}

async function prettyStream(): Promise<Writable> {
  const { default: pretty } = await import('pino-pretty')
  return pretty({ destination: process.stdout, ignore: 'plugin', messageFormat: '{if plugin}[{plugin}] {end}{msg}' })
}
