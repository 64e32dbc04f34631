import { existsSync, readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { BUILT_IN_MESSAGES } from '../../client/index.ts'
import { type AnyPlugin, CONTROL_MESSAGES, FAILURES, LIMITS } from '../../core/index.ts'
import * as plugins from '../../plugins/index.ts'

const { BUILT_IN, BUILT_IN_FAILURES, BUILT_IN_LIMITS, SHIPPED } = plugins

const ROOT = new URL('../../../', import.meta.url)

const folders = readdirSync(new URL('plugins/', ROOT), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

type Named = { readonly name: string }
const namesOf = (definitions: Iterable<Named>): string[] => [...definitions].map(({ name }) => name).sort()
const declared = (key: 'messages' | 'failures' | 'limits') =>
  BUILT_IN.flatMap((plugin: AnyPlugin) => Object.values<Named>(plugin[key] ?? {}))

test('every folder of plugins/ is a plugin that comes with the server, and is exported', (t) => {
  t.deepEqual(namesOf(SHIPPED), folders.sort())
  for (const plugin of SHIPPED) t.true(Object.values(plugins).includes(plugin as never), plugin.name)
})

test('each plugin declares all that its folder defines', (t) => {
  for (const plugin of SHIPPED)
    for (const part of ['messages', 'failures', 'limits'] as const) {
      const file = new URL(`plugins/${plugin.name}/${part}.ts`, ROOT)
      t.is(plugin[part] !== undefined, existsSync(file), `${part} of ${plugin.name}`)
    }
})

test('the lists for clients, documents and the command line hold what the plugins declare, and no more', (t) => {
  const lists = [
    [BUILT_IN_MESSAGES, CONTROL_MESSAGES, 'messages'],
    [Object.values(BUILT_IN_FAILURES), Object.values(FAILURES), 'failures'],
    [Object.values(BUILT_IN_LIMITS), Object.values(LIMITS), 'limits'],
  ] as const
  for (const [list, own, key] of lists) {
    t.deepEqual(namesOf(list), namesOf([...own, ...declared(key)]))
    for (const definition of declared(key)) t.true(list.includes(definition as never), definition.name)
  }
})

test('docs/PLUGINS.md names the built-in plugins', (t) => {
  const document = readFileSync(new URL('docs/PLUGINS.md', ROOT), 'utf8')
  const [, list = ''] = /The built-in features \(([^)]*)\)/.exec(document) ?? []
  t.deepEqual(namesOf([...list.matchAll(/`(\w+)`/g)].map(([, name = '']) => ({ name }))), namesOf(BUILT_IN))
})
