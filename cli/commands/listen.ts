import type { ChatMessage, Client } from '../../client/index.ts'
import { acknowledge, isNamed, noteConnection } from '../client/incoming.ts'
import { asUser } from '../client/sessions.ts'
import { StopConditions, type Stops } from '../client/stop-conditions.ts'
import { notEmpty, wholeNumber } from '../definition/coerce.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import type { SaveFile } from '../files/arrivals.ts'
import { parseDuration } from '../input/duration.ts'
import { STDIN } from '../input/marks.ts'
import { messageLine } from '../output/message-view.ts'
import type { Output } from '../output/output.ts'
import { printableJson, printableLine } from '../output/printable.ts'

const KINDS = ['chat', 'group', 'system'] as const
type Kind = (typeof KINDS)[number]

const isKind = (type: string | undefined): type is Kind => KINDS.some((kind) => kind === type)

/** A heading of the help. */
const EXEC = 'A program for each message'

export const listen = defineCommand({
  command: 'listen [args..]',
  describe:
    'Print messages as they come, or run a program for each, unread ones first; each is acknowledged when that is done',
  examples: [
    ['$0 listen', 'until Ctrl-C'],
    ['$0 listen --count 1 --for 30s -o ndjson', 'wait for one message; exit 6 if none comes'],
    ['$0 listen --type system', 'only what admins say to everyone'],
    ['$0 listen --own', 'both sides: what you send elsewhere too'],
    ['$0 listen --typing -o ndjson', 'and lines of type user_typing'],
    ['$0 listen --streams', 'in a terminal: messages that grow, such as answers of language models'],
    ['$0 listen --from bob | jq -r .text', 'NDJSON when stdout is no terminal'],
    ['$0 listen --exec ./handler', 'the message as a line of JSON on its stdin; what it prints is the answer'],
    ['$0 listen --save-files ./inbox', 'files too, each saved there before its message is printed'],
    ['$0 listen --exec ./handler --jobs 1 -- --verbose', 'with arguments of its own'],
  ],
  builder: (args) =>
    args.positional('args', { type: 'string', array: true, describe: 'arguments of the program of --exec' }).options({
      ...WHO,
      exec: {
        type: 'string',
        describe: 'run this program, without a shell, for each message; exit code 0 marks the message as read',
        coerce: notEmpty('exec'),
        group: EXEC,
      },
      jobs: {
        type: 'string',
        describe: 'most runs at the same time, one for each conversation; default 4',
        coerce: wholeNumber('jobs', 1, 64),
        group: EXEC,
      },
      retries: {
        type: 'string',
        describe: 'retries after a failed run, after 1 s, 2 s, 4 s …; then the command exits with 1. Default 3',
        coerce: wholeNumber('retries', 0, 1000),
        group: EXEC,
      },
      'exec-timeout': {
        type: 'string',
        describe: 'time limit of a run, which is then killed and counts as failed; default 5m',
        group: EXEC,
      },
      count: { type: 'string', describe: 'stop after this number of messages', coerce: wholeNumber('count', 1, 1e9) },
      for: { type: 'string', describe: 'stop after this time, such as 30s' },
      idle: { type: 'string', describe: 'stop after this time without a message' },
      from: { type: 'string', describe: 'only private messages of this user', coerce: notEmpty('from') },
      type: {
        type: 'string',
        describe: `only this kind (${KINDS.join(', ')}), or a push message of a plugin`,
        coerce: notEmpty('type'),
      },
      since: {
        type: 'string',
        describe: 'first all messages after this id, read ones too',
        coerce: wholeNumber('since', 0, Number.MAX_SAFE_INTEGER),
      },
      own: { type: 'boolean', describe: 'also messages that you send elsewhere meanwhile; they stay as they are' },
      'save-files': {
        type: 'string',
        describe: 'save the files of messages in this folder, as ID-NAME, before the message is printed or handled',
        coerce: notEmpty('save-files'),
      },
      typing: { type: 'boolean', describe: 'also who is writing; this counts as no message' },
      streams: {
        type: 'boolean',
        describe: 'in a terminal, show messages while they are written; elsewhere only finished ones',
      },
      ack: {
        type: 'boolean',
        default: true,
        describe: '--no-ack leaves the messages unread, and stops after the first 100',
      },
    }),
  async run(
    {
      count,
      for: total,
      idle,
      from,
      type,
      since,
      own = false,
      typing = false,
      streams = false,
      ack,
      saveFiles,
      args = [],
      ...exec
    },
    shared,
  ) {
    const stops: Stops = {
      count: count ?? Number.POSITIVE_INFINITY,
      for: total === undefined ? undefined : parseDuration(total),
      idle: idle === undefined ? undefined : parseDuration(idle),
    }
    if (exec.exec !== undefined) {
      if (type !== undefined && !isKind(type))
        throw new CliError('usage', `--exec handles messages: ${KINDS.join(', ')}`)
      if (since !== undefined || !ack || own || typing || streams)
        throw new CliError('usage', '--exec goes with none of --since, --own, --typing, --streams and --no-ack')
      const { listenExec } = await import('../exec/run.ts')
      const { exec: program, jobs = 4, retries = 3, execTimeout = '5m' } = exec
      const words = args.map((word) => (word === STDIN ? '-' : word))
      const save = await saver(saveFiles, shared)
      const options = { program, args: words, jobs, retries, timeout: parseDuration(execTimeout), save }
      return listenExec(options, stops, { ...(from && { from }), ...(type && { kind: type }) }, shared)
    }
    const [alone] = Object.entries({ jobs: exec.jobs, retries: exec.retries, 'exec-timeout': exec.execTimeout })
      .filter(([, value]) => value !== undefined)
      .map(([name]) => name)
    if (alone !== undefined) throw new CliError('usage', `--${alone} goes with --exec`)
    if (args.length > 0) throw new CliError('usage', `nothing takes "${args[0]}": words go with --exec`)
    if (type !== undefined && !isKind(type)) {
      if (own || typing || streams || saveFiles !== undefined)
        throw new CliError('usage', `--own, --typing, --streams and --save-files are for messages: ${KINDS.join(', ')}`)
      return asUser(shared, (client) => pushes(client, shared, type, stops), { reconnect: true })
    }
    const wanted = (message: Pick<ChatMessage, 'kind' | 'from' | 'group' | 'to'>) =>
      (type === undefined || message.kind === type) &&
      (from === undefined ||
        (isNamed(message.from, from) && message.group === undefined) ||
        isNamed(message.to ?? '', from))
    const save = await saver(saveFiles, shared)
    const what = { stops, wanted, save, from, kind: type, since, own, typing, streams, ack }
    return asUser(shared, (client) => messages(client, shared, what), { reconnect: true })
  },
})

/** Saves the file of a message, if there is a folder for it. */
async function saver(folder: string | undefined, { output }: Shared): Promise<SaveFile | undefined> {
  if (folder === undefined) return undefined
  const { Arrivals } = await import('../files/arrivals.ts')
  const arrivals = await Arrivals.in(folder, output)
  return (client, message, signal) => arrivals.save(client, message, signal)
}

interface What {
  readonly stops: Stops
  readonly wanted: (message: Pick<ChatMessage, 'kind' | 'from' | 'group' | 'to'>) => boolean
  readonly save: SaveFile | undefined
  readonly from: string | undefined
  readonly kind: Kind | undefined
  readonly since: number | undefined
  readonly own: boolean
  readonly typing: boolean
  readonly streams: boolean
  readonly ack: boolean
}

async function messages(
  client: Client,
  shared: Shared,
  { stops, wanted, save, from, kind, since, own, typing, streams, ack }: What,
): Promise<ExitName> {
  const { output } = shared
  const watch = new StopConditions(stops, shared.signal)
  noteConnection(client, output)
  let last = 0
  const off = client.onLife('restored', () => {
    last = 0
  })
  const live = await liveStreams(client, output, {
    isWanted: (message) => wanted(message) && (own || !client.isOwn(message)),
    streams,
  })
  const record = (values: object, toLine: () => string) =>
    live === undefined ? output.record(values, toLine) : live.print(toLine())
  const print = async (message: ChatMessage) => {
    if (message.id <= last || !wanted(message)) return
    const isOwn = client.isOwn(message)
    const shown = (await save?.(client, message, watch.signal)) ?? message
    await record(shown, () => messageLine(output, shown, isOwn))
    // After printing: a closed pipe leaves it unread.
    if (ack && message.unread && !isOwn) await acknowledge(client, message, output, watch.signal)
    watch.counted()
  }
  const offTyping = typing ? await showTyping(client, { from, kind, record, dim: output.colors.dim }) : undefined
  try {
    if (since !== undefined) {
      for (let more = true, after = since; more && !watch.signal.aborted; ) {
        const page = await client.inbox({ after, all: true })
        for (const message of page.messages) {
          if (watch.signal.aborted) break
          await print(message)
          after = message.id
        }
        last = Math.max(last, after)
        more = page.more
      }
    }
    const filter = { ...(from !== undefined && { from }), ...(kind !== undefined && { kind }) }
    const options = { acknowledge: false, own, signal: watch.signal, ...filter }
    for await (const message of client.messages(options)) {
      await print(message)
      if (watch.signal.aborted) break
    }
    return watch.exit()
  } finally {
    off()
    offTyping?.()
    await live?.stop()
    watch.end()
  }
}

/** Shows messages that grow, where stdout is a terminal. */
async function liveStreams(
  client: Client,
  output: Output,
  { streams, isWanted }: { readonly streams: boolean; readonly isWanted: What['wanted'] },
) {
  const { screen } = output
  if (!streams || screen === undefined) return undefined
  const { showStreams } = await import('../client/live-streams.ts')
  return showStreams(client, output, { screen, isWanted })
}

interface TypingOptions extends Pick<What, 'from' | 'kind'> {
  record(values: object, toLine: () => string): Promise<void>
  dim(text: string): string
}

/** Prints who begins and stops writing. @returns a function that ends it */
async function showTyping(client: Client, { from, kind, record, dim }: TypingOptions) {
  const { UserTyping } = await import('../../plugins/typing/messages.ts')
  return client.on(UserTyping, ({ from: user, group, state }) => {
    if (kind !== undefined && kind !== (group === '' ? 'chat' : 'group')) return
    if (from !== undefined && (group !== '' || !isNamed(user, from))) return
    const values = { type: UserTyping.name, from: user, ...(group && { group }), state }
    const where = group === '' ? '' : ` @${printableLine(group)}`
    const line = `${printableLine(user)}${where} ${state ? 'is writing' : 'has stopped writing'}`
    record(values, () => dim(line)).catch(() => {})
  })
}

/** Pushes of any other type, as the running server defines it. */
async function pushes(client: Client, shared: Shared, type: string, stops: Stops): Promise<ExitName> {
  const { output } = shared
  const message = (await client.learn()).byName(type)
  if (message?.from !== 'server')
    throw new CliError('usage', `this server pushes no message "${type}"`, 'see `chatctl protocol --live`')
  const watch = new StopConditions(stops, shared.signal)
  const off = client.on(message, (values) => {
    if (watch.signal.aborted) return
    const record = { type, ...values }
    output.record(record, () => printableJson(record)).catch(() => {})
    watch.counted()
  })
  try {
    await new Promise<void>((resolve, reject) => {
      watch.signal.addEventListener('abort', () => resolve(), { once: true })
      if (watch.signal.aborted) resolve()
      client.onLife('closed', reject)
    })
    return watch.exit()
  } finally {
    off()
    watch.end()
  }
}
