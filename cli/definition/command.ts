import { resolve } from 'node:path'
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs'
import { namedConfigFile, refuseConfigHere } from '../config/config-file.ts'
import { defaultData } from '../config/contexts.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import { parseDuration } from '../input/duration.ts'
import { unmark } from '../input/marks.ts'
import { FORMATS, isFormat, Output } from '../output/output.ts'
import { type CommandFacts, factsOf } from './command-facts.ts'
import { fromEnvironment } from './environment.ts'

/** The arguments that every command gets besides its own. */
export interface Shared {
  readonly output: Output
  readonly context: string | undefined
  readonly as: string | undefined
  /** Data folder of the server, for commands that reach one through it. @throws Error for the others */
  readonly data: string
  /** The config file of the server that was named with `--config`. */
  readonly config: string | undefined
  /** Whether the data folder was named on the command line. */
  readonly dataWasGiven: boolean
  readonly pin: string | undefined
  /** Fewest PBKDF2 iterations for a password, in place of what the client library wants of this server. */
  readonly leastIterations: number | undefined
  /** Milliseconds for connecting and for each request. */
  readonly timeout: number
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

interface SharedArgs {
  output?: string | undefined
  color?: boolean
  context?: string
  as?: string
  config?: string
  data?: string
  pin?: string
  timeout?: string | undefined
}

/** A command line, `$0` for the program, and its purpose. */
type Example = readonly [line: string, about: string]

/** One command: data for yargs, and its action. A returned name is the exit code; default `ok`. */
export interface Command<A> {
  readonly command: string
  readonly describe: string
  readonly examples?: readonly Example[]
  /** `--timeout` is the command's own; connecting and requests then have that of the environment, or the default. */
  readonly ownTimeout?: boolean
  /** `--output` is the command's own where it names no form of the data. */
  readonly ownOutput?: boolean
  readonly builder?: (args: Argv<object>) => Argv<A>
  /** Whether it reaches a server through its data folder; if left out: with the option `data`, and where there is `as`, as the operator. */
  readonly needsDataFolder?: (args: ArgumentsCamelCase<A>) => boolean
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands have nothing to report
  run(args: ArgumentsCamelCase<A>, shared: Shared): Promise<ExitName | void>
}

/** One run of the program, from which a command takes the signal of Ctrl-C, and in which it leaves how it ended. */
export class Invocation {
  readonly interrupt: AbortSignal
  /** False while the words are parsed: an error then is one of usage. */
  started = false
  exit: ExitName = 'ok'

  constructor(interrupt: AbortSignal) {
    this.interrupt = interrupt
  }
}

/** Where the parsed words carry their invocation: commands are data, and hold no state of a run. */
export const INVOCATION = Symbol('invocation')

export function defineCommand<A>({
  command,
  describe,
  examples = [],
  ownTimeout = false,
  ownOutput = false,
  builder,
  needsDataFolder,
  run,
}: Command<A>): CommandModule<object, A> {
  return {
    command,
    describe,
    builder: (args) => {
      for (const [example, about] of examples) args.example(example, about)
      return builder === undefined ? (args as unknown as Argv<A>) : builder(args)
    },
    handler: async (args) => {
      const invocation = (args as { [INVOCATION]?: Invocation })[INVOCATION]
      if (invocation === undefined) throw new Error('the parser was made without an invocation')
      invocation.started = true
      refuseRepeats(args)
      const unmarked = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, unmark(value)]))
      const own = { ...(unmarked as SharedArgs), ...(ownTimeout && { timeout: undefined }) }
      if (ownOutput && !isFormat(own.output)) delete own.output
      const facts = factsOf({ command, builder: builder as CommandModule['builder'] })
      const data = (needsDataFolder?.(args) ?? usesDataFolder(facts, own)) ? await dataFolder(own) : undefined
      const shared = readShared(own, data, invocation.interrupt)
      invocation.exit = (await run(unmarked as typeof args, shared)) ?? 'ok'
    },
  }
}

/** A command that only holds others, as `chatctl users list`. */
export function defineGroup(
  command: string,
  describe: string,
  examples: readonly Example[],
  // biome-ignore lint/suspicious/noExplicitAny: commands of different arguments in one list
  commands: readonly CommandModule<any, any>[],
): CommandModule {
  return {
    command: `${command} <command>`,
    describe,
    builder: (args) => {
      for (const [example, about] of examples) args.example(example, about)
      for (const module of commands) args.command(module)
      return args.demandCommand(1)
    },
    handler: () => {},
  }
}

/**
 * The data folder of `--data`, `CHATCTL_DATA`, a config file that was named, or the default.
 * @throws CliError `usage` where a config file in the current folder may be meant
 */
async function dataFolder({ data, config }: SharedArgs): Promise<string> {
  const named = data ?? fromEnvironment('DATA')
  if (named !== undefined) return resolve(named)
  // Settings are read only where a file of them was named: it costs time.
  if (namedConfigFile(config) !== undefined) {
    const { readConfig } = await import('../config/server-config.ts')
    return (await readConfig({ config })).config.data
  }
  await refuseConfigHere()
  return defaultData()
}

/**
 * Whether a command reaches a server through its data folder: one with `--as` does only as the operator. `serve` and its
 * like, which take the setting `db` too, read all settings themselves.
 */
function usesDataFolder({ options }: CommandFacts, { as, data, config }: SharedArgs): boolean {
  if (!('data' in options) || 'db' in options) return false
  return !('as' in options) || [as, data, config].some((value) => value !== undefined)
}

function readShared(args: SharedArgs, data: string | undefined, signal: AbortSignal): Shared {
  const format = args.output ?? fromEnvironment('OUTPUT')
  const source = args.output === undefined ? 'CHATCTL_OUTPUT' : '--output'
  if (format !== undefined && !isFormat(format))
    throw new CliError('usage', `${source}: "${format}" is none of ${FORMATS.join(', ')}`)
  const shared = {
    output: new Output(format, args.color),
    context: args.context ?? fromEnvironment('CONTEXT'),
    as: args.as,
    data: data ?? '',
    config: args.config,
    dataWasGiven: args.data !== undefined || args.config !== undefined,
    pin: args.pin,
    leastIterations: leastIterations(fromEnvironment('LEAST_ITERATIONS')),
    timeout: parseDuration(args.timeout ?? fromEnvironment('TIMEOUT') ?? '10s'),
    signal,
  }
  // Not an empty path, which would mean the current folder.
  if (data === undefined) Object.defineProperty(shared, 'data', { get: noDataFolder, enumerable: false })
  return shared
}

function noDataFolder(): never {
  throw new Error('this command does not read the data folder')
}

/** @throws CliError `usage` */
function leastIterations(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9][0-9]{0,6}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new CliError('usage', `CHATCTL_LEAST_ITERATIONS is "${text}", not a number from 1 to 9999999`)
}

/** Options that may be given more than once. */
const LISTS = [
  '_',
  'args',
  'cluster',
  'fields',
  'file',
  'ids',
  'plugin',
  'plugins',
  'without',
  'http-origin',
  'httpOrigin',
  'trusted-proxy',
  'trustedProxy',
]

function refuseRepeats(args: object) {
  const repeated = Object.entries(args).find(([name, value]) => Array.isArray(value) && !LISTS.includes(name))
  if (repeated !== undefined) throw new CliError('usage', `--${repeated[0]} was given more than once`)
}
