import type { Client, ValuesOf } from '../../client/index.ts'
import { asOperator } from '../client/sessions.ts'
import { StopConditions } from '../client/stop-conditions.ts'
import { notEmpty, wholeNumber } from '../definition/coerce.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'
import type { ExitName } from '../errors/exit.ts'
import { parseDuration } from '../input/duration.ts'
import { localTime } from '../output/local-time.ts'
import { printableJson, printableLine } from '../output/printable.ts'

type Entry = ValuesOf<typeof import('../../plugins/tap/messages.ts').Tapped>

/** Most records in the queue for stdout; further ones are dropped, as in the server. */
const MAX_WAITING = 10_000

/** Explanation of the output, for the help. */
const ABOUT = [
  'Texts and bytes show as their length unless --texts is given, which is recorded in the audit log; secrets never',
  'show. A request shows once it was carried out. A refused one shows as its failure, such as general_failure, which',
  'neither --group nor --type of the request finds. A push shows once',
  'for each session that gets it, often before the request that caused it. A reader that is too slow, or gets more than',
  'limits.tapRate a second, loses records: `dropped` of the next one says how many.',
].join(' ')

export const tap = defineCommand({
  command: 'tap',
  describe: 'Watch what users send and what the server answers and pushes, as it happens; needs the running server',
  examples: [
    ['$0 tap --data ./room', 'everything, until Ctrl-C'],
    ['$0 tap --user alice', 'only what Alice’s sessions send and get'],
    ['$0 tap --type send_message --count 1 --for 30s', 'wait for one; exit 6 if none comes'],
    ['$0 tap --type general_failure -o ndjson | jq -r .outcome', 'why requests are refused'],
    ['$0 tap --group ops --texts', 'what is said in a group; leaves a trace'],
  ],
  builder: (args) =>
    args.epilogue(ABOUT).options({
      ...SERVER_FOLDER,
      user: { type: 'string', describe: 'only sessions of this user', coerce: notEmpty('user') },
      type: {
        type: 'string',
        describe: 'only messages of this name, see `chatctl protocol`',
        coerce: notEmpty('type'),
      },
      group: {
        type: 'string',
        describe: 'only messages that name this group, and the replies to them',
        coerce: notEmpty('group'),
      },
      texts: { type: 'boolean', default: false, describe: 'show the texts of messages, too; goes into the audit log' },
      count: { type: 'string', describe: 'stop after this number of messages', coerce: wholeNumber('count', 1, 1e9) },
      for: { type: 'string', describe: 'stop after this time, such as 30s' },
    }),
  async run({ user = '', type = '', group = '', texts, count, for: total }, shared): Promise<ExitName> {
    const stops = {
      count: count ?? Number.POSITIVE_INFINITY,
      for: total === undefined ? undefined : parseDuration(total),
    }
    return asOperator(shared, async (client) => {
      const watch = new StopConditions(stops, shared.signal)
      try {
        await print(client, { user, type, group, texts }, watch, shared)
        return watch.exit()
      } finally {
        watch.end()
      }
    })
  },
})

interface Filter {
  readonly user: string
  readonly type: string
  readonly group: string
  readonly texts: boolean
}

async function print(client: Client, filter: Filter, watch: StopConditions, { output }: Shared) {
  const { Tap, Tapped } = await import('../../plugins/tap/messages.ts')
  let waiting = 0
  let lost = 0
  const isOver = new Promise<void>((resolve, reject) => {
    watch.signal.addEventListener('abort', () => resolve(), { once: true })
    client.onLife('closed', reject)
    client.on(Tapped, (entry) => {
      if (watch.signal.aborted) return
      if (waiting >= MAX_WAITING) {
        lost += entry.dropped + 1
        return
      }
      const record = toRecord(entry, lost)
      lost = 0
      waiting++
      output
        .record(record, () => toLine(record))
        .then(() => {
          waiting--
        }, reject)
      watch.counted()
    })
  })
  // Read only after the server has accepted the tap: a refusal is reported first.
  isOver.catch(() => {})
  await client.request(Tap, filter)
  await isOver
}

const toRecord = ({ at, direction, node, session, user, name, values, outcome, dropped }: Entry, lost: number) => ({
  at: new Date(at),
  direction,
  ...(node !== 0 && { node }),
  session,
  ...(user !== '' && { user }),
  name,
  outcome,
  values: JSON.parse(values) as unknown,
  dropped: dropped + lost,
})

function toLine(record: ReturnType<typeof toRecord>) {
  const { at, direction, node, session, user, name, values, outcome, dropped } = record
  const arrow = direction === 'in' ? '→' : '←'
  const who = printableLine(user ?? '-')
  const how = outcome === 'ok' ? '' : ` ${printableLine(outcome)}`
  const gap = dropped === 0 ? '' : `${dropped} lost\n`
  const where = node === undefined ? session : `${node}.${session}`
  return `${gap}${localTime(at)} ${who}#${where} ${arrow} ${printableLine(name)}${how} ${printableJson(values)}`
}
