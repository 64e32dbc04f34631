import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../client/index.ts'
import { asOperator } from '../client/sessions.ts'
import { wholeNumber } from '../definition/coerce.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import { parseDuration } from '../input/duration.ts'
import { type Load, loadBetween, Reading } from '../operator/load-sample.ts'
import { loadLine, loadScreen } from '../operator/load-view.ts'

/** Escape sequences: the alternate screen, and back; to the first line, and erase. */
const [ENTER, LEAVE, HOME, REST] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l', '\x1b[H', '\x1b[J']

export const top = defineCommand({
  command: 'top',
  describe: 'Watch the load of a running server: rates, latencies, queues',
  examples: [
    ['$0 top --data ./room', 'a live view, until Ctrl-C'],
    ['$0 top -o json', 'one sample, over one second'],
    ['$0 top --interval 10s --count 6 -o ndjson', 'one record each ten seconds, for a minute'],
  ],
  builder: (args) =>
    args.options({
      ...SERVER_FOLDER,
      interval: { type: 'string', default: '1s', describe: 'time between two samples' },
      count: { type: 'string', describe: 'stop after this number of samples', coerce: wholeNumber('count', 1, 1e9) },
    }),
  async run({ interval, count }, shared): Promise<ExitName> {
    const { output } = shared
    const isScreen = output.isTable && process.stdout.isTTY === true
    // JSON is one document.
    const samples = count ?? (output.isDocument ? 1 : Number.POSITIVE_INFINITY)
    const pause = parseDuration(interval)
    return asOperator(shared, async (client) => {
      const show = shower(shared, isScreen)
      if (isScreen) await output.write(ENTER)
      try {
        let before = await read(client)
        for (let shown = 0; shown < samples; shown++) {
          await sleep(pause, undefined, { signal: shared.signal })
          const now = await read(client)
          await show(loadBetween(before, now))
          before = now
        }
        return 'ok'
      } catch (error) {
        if (shared.signal.aborted) return 'interrupted'
        throw error
      } finally {
        if (isScreen) await output.write(LEAVE)
      }
    })
  },
})

function shower({ output }: Shared, isScreen: boolean): (load: Load) => Promise<void> {
  const { dim } = output.colors
  if (isScreen) return (load) => output.write(`${HOME}${loadScreen(load, dim).join('\x1b[K\n')}${REST}`)
  if (output.isDocument) return (load) => output.item({ at: new Date(), ...load }, [])
  return (load) => output.record({ at: new Date(), ...load }, () => loadLine(load))
}

async function read(client: Client): Promise<Reading> {
  const { QueryMetrics } = await import('../../plugins/metrics/messages.ts')
  const { refusalOf } = await import('../errors/refusal.ts')
  try {
    const { json } = await client.request(QueryMetrics, {})
    return new Reading(Date.now() / 1000, JSON.parse(json))
  } catch (error) {
    if (refusalOf(error)?.failure !== 'unknown_type') throw error
    throw new CliError('failed', 'this server has no metrics', 'start it without `--without metrics`')
  }
}
