import { watch } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Editors write a file in several steps. */
const QUIET_MS = 100
const SOURCE = /\.[cm]?[jt]s$/

/** Yields after source files of a folder have changed, until the signal aborts. */
export async function* watchSources(folder: string, signal: AbortSignal): AsyncGenerator<void> {
  try {
    for await (const { filename } of watch(folder, { recursive: true, signal })) {
      if (filename === null || !SOURCE.test(filename) || filename.includes('node_modules')) continue
      await sleep(QUIET_MS, undefined, { signal })
      yield
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
