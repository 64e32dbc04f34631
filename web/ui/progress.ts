import { signal } from '@preact/signals'

/** Transfers that are running, 0 to 1: by client id for an unsent message, by `file ID` for a download. */
export const progress = signal<ReadonlyMap<string, number>>(new Map())

export function setProgress(of: string, share: number) {
  const next = new Map(progress.value)
  if (share >= 1) next.delete(of)
  else next.set(of, share)
  progress.value = next
}
