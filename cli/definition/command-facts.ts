import type { Argv, CommandModule, Options } from 'yargs'

/** Words and options of a command, read from its definition without running it: for completion and usage errors. */
export interface CommandFacts {
  /** Names of the words it takes, in order; those in `needed` cannot be left out. */
  readonly positionals: readonly string[]
  readonly needed: readonly string[]
  /** Whether the last of the words may be repeated. */
  readonly isOpen: boolean
  readonly options: Readonly<Record<string, Options>>
  /** Commands of its own, as `users` has `list`. */
  readonly commands: readonly CommandModule[]
}

/** Options of every command, see program.ts. */
export const GLOBAL_OPTIONS = {
  output: {
    alias: 'o',
    type: 'string',
    describe: 'form of the data on stdout: table, json, ndjson or plain',
    global: true,
  },
  timeout: { type: 'string', describe: 'for connecting and for each request; default 10s', global: true },
  color: { type: 'boolean', describe: 'colours on a terminal; --no-color turns them off', global: true },
} as const

export const nameOf = ({ command }: Pick<CommandModule, 'command'>): string => String(command).split(' ')[0] ?? ''

export function factsOf({ command, builder }: Pick<CommandModule, 'command' | 'builder'>): CommandFacts {
  const words = String(command)
    .split(' ')
    .slice(1)
    .filter((word) => word !== '<command>')
  const options: Record<string, Options> = {}
  const commands: CommandModule[] = []
  const recorded = {
    options: (more: Record<string, Options>) => Object.assign(options, more),
    command: (module: CommandModule) => commands.push(module),
  }
  // Stands for the parser: everything but these two only changes what help shows.
  const recorder: unknown = new Proxy(recorded, {
    get: (target, name) => (value: never) => {
      target[name as keyof typeof target]?.(value)
      return recorder
    },
  })
  if (typeof builder === 'function') builder(recorder as Argv)
  return {
    positionals: words.map((word) => word.replace(/[<>[\].]/g, '')),
    needed: words.filter((word) => word.startsWith('<')).map((word) => word.replace(/[<>.]/g, '')),
    isOpen: words.some((word) => word.includes('..')),
    options,
    commands,
  }
}
