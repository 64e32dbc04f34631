import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const FOLDERS = ['core', 'plugins', 'db', 'client', 'bot', 'testing', 'cli', 'bench']

/** Source files of the package, from the root. */
export const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
).filter((file) => file.endsWith('.ts'))

export const sourceOf = (file: string) => readFileSync(join(ROOT, file), 'utf8')

export type Platform = 'browser' | 'default'

/** `imports` of package.json: the implementations of a name, by platform. */
const ports: { readonly [name: string]: Record<Platform, string> } = JSON.parse(sourceOf('package.json')).imports

const implementation = (name: string, platform: Platform) =>
  ports[name]?.[platform].replace(/^\.\/dist\/(.*)\.js$/, '$1.ts') ?? name

/** Files of the package that a file imports, from the root. Type imports count: they are knowledge too. */
export function importsOf(file: string): string[] {
  const found = sourceOf(file).matchAll(/(?:from|import)\s*\(?\s*'([.#][^']+)'/g)
  return [...found].flatMap(([, path = '']) =>
    path.startsWith('#')
      ? [implementation(path, 'browser'), implementation(path, 'default')]
      : [relative(ROOT, resolve(ROOT, dirname(file), path))],
  )
}

/** Source files that a platform loads with a file, itself included. */
export function loadedWith(file: string, platform: Platform, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found
  found.add(file)
  const imports = sourceOf(file).matchAll(/^(?:import|export) (?!type )[^']*? from '([.#][^']+)'/gm)
  for (const [, path = ''] of imports)
    loadedWith(
      path.startsWith('#') ? implementation(path, platform) : relative(ROOT, resolve(ROOT, dirname(file), path)),
      platform,
      found,
    )
  return found
}

/** The rooms that each room imports. `roomOf` gives the room of a file; undefined leaves the file out. */
export function roomGraph(roomOf: (file: string) => string | undefined): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>()
  for (const file of files) {
    const from = roomOf(file)
    if (from === undefined) continue
    const to = graph.get(from) ?? new Set<string>()
    graph.set(from, to)
    for (const imported of importsOf(file).map(roomOf))
      if (imported !== undefined && imported !== from) to.add(imported)
  }
  return graph
}

/** Rooms that a room reaches over any number of imports. */
export function reachable(graph: ReadonlyMap<string, ReadonlySet<string>>, room: string): Set<string> {
  const found = new Set<string>()
  const pending = [...(graph.get(room) ?? [])]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue
    found.add(next)
    pending.push(...(graph.get(next) ?? []))
  }
  return found
}

/** Rooms of the drawing: those of core/, where a file beside them is one by itself, and the other folders; bench/load is packed. */
const drawnRoom = (file: string) => {
  const [folder = '', room = ''] = file.split('/')
  if (!FOLDERS.includes(folder)) return undefined
  if (file.startsWith('bench/load/')) return 'bench/load'
  return folder === 'core' && file !== 'core/index.ts' ? `core/${room.replace(/\.ts$/, '')}` : folder
}

/** The generated part of docs/ARCHITECTURE.md: rooms and imports, without those that follow from others. */
export function importDrawing(): string {
  const graph = roomGraph(drawnRoom)
  const direct = [...graph].flatMap(([from, rooms]) => {
    const indirect = new Set([...rooms].flatMap((room) => [...reachable(graph, room)]))
    return [...rooms].filter((to) => !indirect.has(to)).map((to) => `  ${from} --> ${to}`)
  })
  return ['```mermaid', 'flowchart TD', ...direct.sort(), '```'].join('\n')
}
