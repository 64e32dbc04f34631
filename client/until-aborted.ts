import { abortedBy } from './errors.ts'
import { unlessAborted } from './waiting.ts'

/** The items of a source. @throws ClientError of the signal as soon as it aborts, also while the source waits */
export async function* untilAborted(
  source: AsyncIterable<string> | Iterable<string>,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const items = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let isDone = false
  try {
    for (;;) {
      const next = await unlessAborted(Promise.resolve(items.next()), signal)
      if (next === undefined || signal?.aborted) throw abortedBy(signal as AbortSignal, 'the message was not finished')
      if (next.done) {
        isDone = true
        return
      }
      yield next.value
    }
  } finally {
    // Neither awaited nor reported: the source may wait for ever, and the caller gets the error that ended the stream.
    if (!isDone) void Promise.resolve(items.return?.()).catch(() => {})
  }
}
