/** A text that a model writes, or a handler streams, to say nothing. */
export const NO_REPLY = 'NO_REPLY'

/** Pieces of a stream, without those of a text that is only NO_REPLY. */
export async function* withoutNoReply(source: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  // Held back while it may still become NO_REPLY.
  let held: string | undefined = ''
  for await (const piece of source) {
    if (held === undefined) {
      yield piece
      continue
    }
    held += piece
    const said = held.trim()
    if (NO_REPLY.startsWith(said)) continue
    yield held
    held = undefined
  }
  if (held !== undefined && held.trim() !== NO_REPLY && held !== '') yield held
}
