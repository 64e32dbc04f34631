import { signal } from '@preact/signals'
import type { Key } from '../shared/model.ts'

/** Files that are chosen and not sent yet, by conversation. */
export const staged = signal<ReadonlyMap<Key, readonly File[]>>(new Map())

const setStaged = (key: Key, files: readonly File[]) => {
  staged.value = new Map(staged.value).set(key, files)
}

export const stagedFor = (key: Key): readonly File[] => staged.value.get(key) ?? []

/** @returns whether there was any */
export function stage(key: Key, files: Iterable<File> | undefined): boolean {
  const added = [...(files ?? [])]
  setStaged(key, [...stagedFor(key), ...added])
  return added.length > 0
}

export function unstage(key: Key, file: File) {
  setStaged(
    key,
    stagedFor(key).filter((other) => other !== file),
  )
}

/** The files, which are no longer staged. */
export function takeStaged(key: Key): readonly File[] {
  const files = stagedFor(key)
  setStaged(key, [])
  return files
}
