import { chosenContext, withoutLogin } from '../client/sessions.ts'
import { wholeNumber } from '../definition/coerce.ts'
import { defineCommand } from '../definition/command.ts'
import { OPTIONS } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { parseDuration } from '../input/duration.ts'

const WORKLOADS = ['pairs', 'group', 'logins'] as const

/** Members of a group who write. */
const POSTERS = 10
/** Fewer logins at a time than the connections that an address may have before they log in. */
const WINDOWS = { pairs: 32, group: 8, logins: 8 }

function count(name: string, standard: number, describe: string, lowest = 1) {
  const check = wholeNumber(name, lowest, 100_000)
  const coerce = (value: unknown) => check(value) ?? standard
  return { type: 'number', default: standard, describe, group: 'Load', coerce } as const
}

export const bench = defineCommand({
  command: 'bench [server]',
  describe: 'Put load on a server and measure its throughput and latency; makes accounts of its own, which stay',
  examples: [
    ['$0 bench 127.0.0.1:7300', '100 pairs of friends, 32 messages of each under way'],
    ['$0 bench 127.0.0.1:7300 --pairs 1 --window 1', 'how long one message takes where nothing else happens'],
    ['$0 bench --context test --workload logins --yes', 'a server on another machine, which one may load'],
    ['$0 bench 127.0.0.1:7300 --workload group -o json', 'for programs'],
  ],
  builder: (args) =>
    args
      .positional('server', { type: 'string', describe: 'HOST:PORT; without it, the server of the context' })
      .options({
        workload: { choices: WORKLOADS, default: 'pairs' as const, describe: 'kind of load', group: 'Load' },
        pairs: count('pairs', 100, 'pairs: how many, each of a sender and a friend'),
        window: {
          type: 'number',
          describe: 'messages of a sender under way, default 32, in a group 8; logins at a time, default 8',
          group: 'Load',
          coerce: wholeNumber('window', 1, 100_000),
        },
        members: count('members', 100, 'group: members, of whom ten at most write', 2),
        users: count('users', 100, 'logins: accounts that log in over and over'),
        size: count('size', 64, 'bytes of text'),
        for: { type: 'string', default: '10s', describe: 'how long to measure', group: 'Load' },
        'warm-up': { type: 'string', default: '2s', describe: 'how long to load before that', group: 'Load' },
        yes: { type: 'boolean', default: false, describe: 'yes, I may load a server on another machine' },
        context: { ...OPTIONS.context, describe: 'the server of the login kept under this name' },
        pin: OPTIONS.pin,
      }),
  async run(args, shared) {
    const { workload } = args
    const period = { seconds: parseDuration(args.for) / 1000, warmUp: parseDuration(args.warmUp) / 1000 }
    const options = {
      ...period,
      pairs: args.pairs,
      window: args.window ?? WINDOWS[workload],
      members: args.members,
      posters: Math.min(POSTERS, args.members),
      users: args.users,
      size: args.size,
    }
    const server = args.server ?? (await chosenContext(shared)).server
    const accounts = { pairs: 2 * options.pairs, group: options.members, logins: options.users }[workload]
    const address = await permitted(server, accounts, args.yes)
    // Its key is checked once, by the rules of every command; the load itself has no secrets.
    await withoutLogin(server, shared, async () => {})
    shared.output.note(
      `making ${accounts} accounts on ${server}, named bench-…, which stay there. Unless it was started with ` +
        '--limits off, its limits are what is measured, and one address may register only 30 accounts an hour.',
    )
    const load = await import('../../bench/load/index.ts')
    const { ProgressBar } = await import('../output/progress.ts')
    const bar = new ProgressBar('%')
    // Closes the remaining connections when the load fails.
    const run = new AbortController()
    const signal = AbortSignal.any([shared.signal, run.signal])
    const watcher = {
      progress: (what: string, share: number) => bar.update(what, share * 100, 100),
      measuring: () => {},
    }
    try {
      const work = {
        pairs: () => load.pairs(load.friendsOn(address), options, watcher, signal),
        group: () => load.group(address, options, watcher, signal),
        logins: () => load.logins(address, { ...options, receives: false }, watcher, signal),
      }
      const result = await work[workload]()
      bar.end()
      await shared.output.item({ server, ...result }, load.RESULT_COLUMNS, load.RESULT_COLUMNS.find(isResult))
    } finally {
      bar.end()
      run.abort()
    }
  },
})

const isResult = ({ title }: { title: string }) => title === 'result'

type Where = { readonly host: string; readonly port: number } | { readonly url: string }

/** @throws CliError unless the server is on this machine, or `yes` was said */
async function permitted(server: string, accounts: number, yes: boolean): Promise<Where> {
  const { parseAddress } = await import('../../client/index.ts')
  const { isLoopback } = await import('../config/server-config.ts')
  let address: Where
  try {
    address = parseAddress(server)
  } catch (error) {
    throw new CliError(
      'usage',
      (error as Error).message,
      'such as 127.0.0.1:7300, [::1]:7300 or ws://127.0.0.1:7380/chat',
    )
  }
  const host = 'url' in address ? new URL(address.url).hostname.replace(/^\[|\]$/g, '') : address.host
  if (!yes && !isLoopback(host))
    throw new CliError(
      'usage',
      `this makes ${accounts} accounts on ${server} and loads it as hard as it can`,
      'add --yes if you may do that',
    )
  return address
}
