/** A source of text whose pieces the test gives. */
export interface Pieces extends AsyncIterable<string> {
  give(piece: string): void
  end(): void
  fail(error: Error): void
  /** Whether the reader gave up. */
  readonly wasReturned: boolean
}

export function pieces(): Pieces {
  const given: (() => IteratorResult<string>)[] = []
  let wake = () => {}
  let wasReturned = false
  const add = (next: () => IteratorResult<string>) => {
    given.push(next)
    wake()
  }
  return {
    give: (piece) => add(() => ({ done: false, value: piece })),
    end: () => add(() => ({ done: true, value: undefined })),
    fail: (error) =>
      add(() => {
        throw error
      }),
    get wasReturned() {
      return wasReturned
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        for (;;) {
          const next = given.shift()
          if (next !== undefined) return next()
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      },
      async return() {
        wasReturned = true
        return { done: true, value: undefined }
      },
    }),
  }
}
