import type { Client, SentMessage, TextStyle } from '../../client/index.ts'
import type { Shared } from '../definition/command.ts'
import { explain } from '../errors/exit.ts'
import { type Line, readLines } from '../input/stdin.ts'

/** Most lines in flight: enough to fill the server's group commits, few enough to stop soon. */
const IN_FLIGHT = 64
/** Milliseconds after which a message was probably held by the server's rate limit. */
const SLOW_MS = 1000

export interface LinesOptions {
  readonly to: string | { readonly group: string }
  readonly style: TextStyle
  /** Called for each stored message, in the order of the lines. */
  readonly print: (sent: SentMessage) => Promise<void>
}

interface Failed {
  readonly line: number
  readonly error: unknown
}

/**
 * Sends each line of stdin as a message; empty ones are skipped. After the first failure it stops sending, waits for
 * the messages in flight, and reports the stored and failed lines.
 * @throws the failure of the first line that was not stored
 */
export async function sendLines(client: Client, shared: Shared, { to, style, print }: LinesOptions): Promise<void> {
  const { output, signal } = shared
  const stop = new AbortController()
  const failed: Failed[] = []
  let stored = 0
  let last = 0
  const fail = (line: number, error: unknown) => {
    failed.push({ line, error })
    stop.abort()
  }
  const rate = rateNote(client, shared)
  let inOrder = Promise.resolve()
  const send = ({ number, text }: Line) => {
    const begun = performance.now()
    const sending = client.send(to, text, { style })
    // Handled in its turn below.
    sending.catch(() => {})
    last = number
    inOrder = inOrder.then(async () => {
      try {
        await print(await sending)
        stored++
        if (performance.now() - begun > SLOW_MS) await rate(stored)
      } catch (error) {
        fail(number, error)
      }
    })
    return inOrder
  }
  const inFlight: Promise<void>[] = []
  try {
    for await (const line of readLines(AbortSignal.any([signal, stop.signal]))) {
      if (line.text === '') continue
      inFlight.push(send(line))
      if (inFlight.length >= IN_FLIGHT) await inFlight.shift()
      if (stop.signal.aborted) break
    }
  } catch (error) {
    // An error of stdin itself, unless the reading was aborted here.
    if (!stop.signal.aborted && !signal.aborted) fail(last + 1, error)
  }
  await inOrder
  const [first] = failed
  if (first === undefined) return signal.throwIfAborted()
  output.note(
    `${summary(
      stored,
      failed.map(({ line }) => line),
      last,
    )}; the first failure:`,
  )
  throw first.error
}

/** Stored and failed lines, so that a script can resume. */
function summary(stored: number, failed: readonly number[], last: number): string {
  const wrong = failed.length > 1 ? `lines ${failed.join(', ')} were not` : `line ${failed[0]} was not`
  return `${stored} message(s) were stored, ${wrong}, and nothing after line ${Math.max(last, ...failed)} was sent`
}

/** Reports once that the server's rate limit slows the sending. */
function rateNote(client: Client, { output, as }: Shared) {
  let asked = false
  return async (stored: number) => {
    if (asked) return
    asked = true
    const { QueryProtocol } = await import('../../core/wire/control.ts')
    try {
      const { limits } = await client.request(QueryProtocol, {})
      const { requestRate, requestBurst } = JSON.parse(limits) as { requestRate?: number; requestBurst?: number }
      if (requestRate === undefined || requestBurst === undefined || as !== undefined) return
      output.note(`the server takes ${requestRate} requests a second of a user; bots may send ten times as many`)
    } catch (error) {
      output.note(`${stored} stored so far; why it takes so long is not known: ${explain(error).message}`)
    }
  }
}
