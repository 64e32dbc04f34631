import type { ChatMessage, Client, MessagesOptions } from '../../client/index.ts'
import { noteConnection } from '../client/incoming.ts'
import { asUser } from '../client/sessions.ts'
import { StopConditions, type Stops } from '../client/stop-conditions.ts'
import type { Shared } from '../definition/command.ts'
import { EXIT, type ExitName } from '../errors/exit.ts'
import type { SaveFile } from '../files/arrivals.ts'
import { printableLine } from '../output/printable.ts'
import { HandlerProgram } from './program.ts'
import { HandlerQueue } from './queue.ts'

export interface Exec {
  readonly program: string
  readonly args: readonly string[]
  readonly jobs: number
  readonly retries: number
  /** Milliseconds for one run. */
  readonly timeout: number
  /** Saves the file of a message before its run. */
  readonly save: SaveFile | undefined
}

/** Runs a program for each message, see HandlerQueue. A message is acknowledged when it was handled. */
export async function listenExec(
  { program, args, timeout, save, ...limits }: Exec,
  stops: Stops,
  filter: Pick<MessagesOptions, 'from' | 'kind'>,
  shared: Shared,
): Promise<ExitName> {
  const handler = await HandlerProgram.find(program, args, timeout)
  const interrupt = untilStopped(shared.signal)
  const watch = new StopConditions(stops, interrupt)
  // Not aborted by Ctrl-C: runs in flight are still answered and acknowledged.
  const connection = new AbortController()
  const giveUp = () => connection.abort()
  interrupt.addEventListener('abort', giveUp)
  try {
    const act = async (client: Client) => {
      interrupt.removeEventListener('abort', giveUp)
      await handleAll(client, shared, { handler, save, limits, stops, watch, filter })
      return watch.exit()
    }
    return await asUser({ ...shared, signal: connection.signal }, act, { reconnect: true })
  } finally {
    watch.end()
    handler.close()
  }
}

interface Parts {
  readonly handler: HandlerProgram
  readonly save: SaveFile | undefined
  readonly limits: { readonly jobs: number; readonly retries: number }
  readonly stops: Stops
  readonly watch: StopConditions
  readonly filter: Pick<MessagesOptions, 'from' | 'kind'>
}

async function handleAll(client: Client, { output }: Shared, { handler, save, limits, stops, watch, filter }: Parts) {
  const failed = new AbortController()
  const queue = new HandlerQueue(client, {
    handler,
    save,
    ...limits,
    note: (text) => output.note(text),
    onFailed: () => failed.abort(),
    onHandled: async (message, replyId) => {
      const record = toRecord(message, replyId)
      await output.record(record, () => `${record.id} of ${printableLine(record.from)}: handled`)
      watch.counted()
    },
  })
  const signal = AbortSignal.any([watch.signal, failed.signal])
  noteConnection(client, output)
  try {
    let pushed = 0
    for await (const message of client.messages({ ...filter, acknowledge: false, signal })) {
      queue.push(message)
      if (++pushed >= stops.count) break
    }
    if (!signal.aborted) await Promise.race([queue.idle(), once(signal)])
  } finally {
    await queue.finish()
  }
}

const toRecord = ({ id, from, group }: ChatMessage, replyId: number | undefined) => ({
  id,
  from,
  group,
  ...(replyId !== undefined && { replyId }),
})

const once = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
  })

/** Aborts on Ctrl-C or SIGTERM; a second SIGTERM ends the process. */
function untilStopped(interrupt: AbortSignal): AbortSignal {
  const terminated = new AbortController()
  process.on('SIGTERM', () => {
    if (terminated.signal.aborted) process.exit(EXIT.interrupted)
    terminated.abort()
  })
  return AbortSignal.any([interrupt, terminated.signal])
}
