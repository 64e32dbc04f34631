import test from 'ava'
import { files, importDrawing, importsOf, loadedWith, reachable, roomGraph, sourceOf } from '../support/import-graph.ts'
import { generatedPart } from '../support/wire/generated-part.ts'

const inFolder = (folder: string) => (path: string) => path.startsWith(`${folder}/`)

/** Plugins that a plugin declares to need. */
function needsOf(plugin: string): string[] {
  const source = sourceOf(`plugins/${plugin}/index.ts`)
  return (/needs: \{([^}]*)\}/.exec(source)?.[1] ?? '').split(',').map((need) => need.split(':')[0]?.trim() ?? '')
}

/** What features define as data. */
const DEFINITIONS = /^plugins\/([^/]+\/(messages|fields|failures|limits)|built-in-(messages|failures|limits))\.ts$/
const isDefinition = (path: string) => DEFINITIONS.test(path)

/** Which imports a file may have; the first rule that fits it counts. */
const RULES: readonly (readonly [RegExp, (imported: string, file: string) => boolean])[] = [
  [/^core\/platform\//, inFolder('core/platform')],
  [/^core\/wire\//, (path) => /^core\/(wire|platform)\//.test(path)],
  [/^core\/noise\//, (path) => /^core\/(noise|platform)\//.test(path)],
  [/^core\/scram\//, (path) => /^core\/(scram|platform)\//.test(path)],
  [/^core\/websocket\//, inFolder('core/websocket')],
  [/^core\//, inFolder('core')],
  [/^db\//, inFolder('db')],
  // Definitions are data: one may name another's as its reply.
  [
    DEFINITIONS,
    (path, file) =>
      isDefinition(path) || path.startsWith('core/wire/') || (/limits/.test(file) && path === 'core/limits.ts'),
  ],
  [/^plugins\/assembly\.ts$/, (path) => /^(core|db)\/index\.ts$|^plugins\/built-in\.ts$/.test(path)],
  [/^plugins\/(index|built-in)\.ts$/, (path) => path.startsWith('plugins/') || path === 'core/index.ts'],
  [
    /^plugins\//,
    (path, file) => {
      const [, plugin = ''] = file.split('/')
      const [folder, other = ''] = path.split('/')
      if (folder !== 'plugins') return folder === 'core' || path === 'db/index.ts'
      return other === plugin || needsOf(plugin).includes(other) || path.endsWith('/failures.ts')
    },
  ],
  [/^client\//, (path) => /^(client|core\/(wire|noise|scram|platform|websocket))\//.test(path) || isDefinition(path)],
  [/^testing\//, (path) => /^(testing|core|db|plugins|client|bot)\//.test(path)],
  [/^bot\//, (path) => /^(bot|client|core\/wire)\//.test(path) || path === 'core/clock.ts' || isDefinition(path)],
  // The load is packed, for `chatctl bench`; the rest of bench/ is not.
  [/^cli\//, (path) => !path.startsWith('bench/') || path.startsWith('bench/load/')],
  [/^bench\/load\//, (path) => /^(bench\/load|client|core\/wire|core\/scram)\//.test(path) || isDefinition(path)],
  [/^bench\//, () => true],
]

test('every folder imports only what its rule allows', (t) => {
  t.true(files.length > 50)
  const breaches = files.flatMap((file) => {
    const rule = RULES.find(([pattern]) => pattern.test(file))?.[1]
    return importsOf(file)
      .filter((imported) => !rule?.(imported, file))
      .map((imported) => `${file} imports ${imported}`)
  })
  t.deepEqual(breaches, [])
})

test('the handshake and the login have their cryptography from the platform', (t) => {
  const users = files.filter((file) => {
    return /^core\/(noise|scram|platform)\//.test(file) && /from '(node:crypto|@noble\/.*)'/.test(sourceOf(file))
  })
  const expected = ['browser-crypto', 'browser-x25519', 'node-crypto'].map((name) => `core/platform/${name}.ts`)
  t.deepEqual(users, expected)
})

test('what a browser loads with the client uses nothing of Node', (t) => {
  const loaded = [...loadedWith('client/index.ts', 'browser')]
  t.true(loaded.includes('client/browser-dial.ts') && loaded.includes('core/noise/record.ts'))
  const code = (file: string) => sourceOf(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const breaches = loaded.filter((file) => {
    if (/from 'node:|\b(process|setImmediate|clearImmediate)\b|NodeJS\./.test(code(file))) return true
    const usesBuffer = /\bBuffer\.|new Buffer\b|instanceof Buffer\b/.test(code(file))
    return (
      usesBuffer &&
      !/import \{[^}]*\bBuffer\b[^}]*\} from '(#platform\/runtime|\.\/browser-runtime.ts)'|^export class Buffer\b/m.test(
        code(file),
      )
    )
  })
  t.deepEqual(breaches, [])
})

/** A child process has no clock of the server; clients of the original are as they are. */
const OWN_TIME =
  /^core\/(clock|watchdog\/watchdog|watchdog\/watchdog-thread|wire\/client-id)\.ts$|^plugins\/(legacy\/|files\/pictures\/preview-process\.ts$)/

test('the server takes the time from its clock only', (t) => {
  const breaches = files.filter((file) => {
    if (!/^(core|plugins)\//.test(file) || OWN_TIME.test(file)) return false
    return /(?<!\.)\b(setTimeout|setInterval|Date\.now|performance\.now|new Date\(\))/.test(sourceOf(file))
  })
  t.deepEqual(breaches, [])
})

test('imports have no cycle', (t) => {
  const graph = new Map(files.map((file) => [file, importsOf(file)]))
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) return void circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  t.deepEqual(circles, [])
})

/** The room of a file: the first folder in `core/` or `cli/`; a file directly in those is a room of its own. */
const roomOf = (file: string) => file.split('/').slice(0, 2).join('/')

for (const folder of ['core', 'cli'])
  test(`no circle of imports between the rooms of ${folder}/`, (t) => {
    const isInside = inFolder(folder)
    const graph = roomGraph((file) => (isInside(file) ? roomOf(file) : undefined))
    t.true(graph.size > 5)
    const circles = files.filter(isInside).flatMap((file) =>
      importsOf(file)
        .filter((imported) => isInside(imported) && roomOf(imported) !== roomOf(file))
        .filter((imported) => reachable(graph, roomOf(imported)).has(roomOf(file)))
        .map((imported) => `${file} imports ${imported}`),
    )
    t.deepEqual(circles, [], 'part of a circle: turn one import around, or move what it needs to a room below both')
  })

test('the drawing of docs/ARCHITECTURE.md is that of the imports', (t) => {
  t.is(generatedPart(sourceOf('docs/ARCHITECTURE.md')), importDrawing())
})
