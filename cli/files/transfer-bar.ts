import type { TransferProgress } from '../../client/index.ts'
import { ProgressBar } from '../output/progress.ts'

/** Progress of an upload or a download, on a terminal only: in a script stderr is for what goes wrong. */
export function transferBar(name: string) {
  const bar = process.stderr.isTTY === true ? new ProgressBar('bytes') : undefined
  return {
    update: ({ done, size }: TransferProgress) => bar?.update(name, done, size),
    end: () => bar?.end(),
  }
}
