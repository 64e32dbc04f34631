/**
 * How many things are done at a time where a server is prepared: enough to keep it busy, and fewer than the ten
 * connections that one address may have before they log in.
 */
const AT_ONCE = 8

/** Does `work` for every item, a few at a time, and tells how many are done. Begins no more once one has failed. */
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
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
}
