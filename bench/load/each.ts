/** Concurrency of preparations: keeps the server busy, below its limit of ten connections per address before login. */
const CONCURRENCY = 8

/** Runs `work` for every item with bounded concurrency and reports progress. Stops starting items after a failure. */
export async function each<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
  onProgress: (done: number) => void = () => {},
) {
  let next = 0
  let done = 0
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      try {
        await work(items[index] as T, index)
      } catch (error) {
        next = items.length
        throw error
      }
      onProgress(++done)
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker))
}
