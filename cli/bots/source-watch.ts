import { EventEmitter, on } from 'node:events'
import { type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs'
import { basename, join } from 'node:path'

/** Editors write a file in several steps. */
const DEBOUNCE_MS = 100
const SOURCE = /\.[cm]?[jt]s$/

/** Yields after source files in a folder have changed (debounced), from the call on until the signal aborts. */
export function watchSources(folder: string, signal: AbortSignal): AsyncIterator<unknown> {
  const changes = new EventEmitter()
  const folders = new Map<string, FSWatcher>()
  let quiet: NodeJS.Timeout | undefined
  // Folder by folder: Node's recursive watch on Linux loses a file once another one has taken its name.
  const open = (path: string) => {
    folders.get(path)?.close()
    folders.delete(path)
    if (path !== folder && !isOwnFolder(path)) return
    const watcher = watch(path, (event, name) => {
      if (name === null) return
      if (event === 'rename') open(join(path, name))
      if (!SOURCE.test(name)) return
      clearTimeout(quiet)
      quiet = setTimeout(() => changes.emit('change'), DEBOUNCE_MS)
    })
    watcher.on('error', (error) => changes.emit('error', error))
    folders.set(path, watcher)
    for (const name of namesIn(path)) open(join(path, name))
  }
  open(folder)
  signal.addEventListener('abort', () => {
    clearTimeout(quiet)
    for (const watcher of folders.values()) watcher.close()
  })
  return on(changes, 'change', { signal })
}

/** Whether it is a folder of the bot's own sources. Not a symbolic link, which may close a circle. */
function isOwnFolder(path: string): boolean {
  const name = basename(path)
  if (name === 'node_modules' || name.startsWith('.')) return false
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    // Deleted meanwhile, as build tools do.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
