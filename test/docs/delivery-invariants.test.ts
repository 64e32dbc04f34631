import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** Numbers of the invariants that the sources of a folder cite. */
function citedIn(folder: string): Set<string> {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  const sources = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, folder, file), 'utf8'))
  return new Set(sources.flatMap((source) => source.match(/\[D-\d+\]/g) ?? []))
}

test('each delivery invariant is cited by the code and by a test, and each citation is an invariant', (t) => {
  const document = readFileSync(join(ROOT, 'docs/ARCHITECTURE.md'), 'utf8')
  const listed = [...document.matchAll(/^- \*\*(\[D-\d+\])\*\*/gm)].map(([, number]) => number as string)
  t.true(listed.length > 0)
  t.deepEqual(
    listed,
    listed.map((_, index) => `[D-${index + 1}]`),
  )
  const [code, tests] = [new Set([...citedIn('plugins'), ...citedIn('db')]), citedIn('test')]
  for (const number of listed) {
    t.true(code.has(number), `${number} in the code`)
    t.true(tests.has(number), `${number} in a test`)
  }
  t.deepEqual(
    [...code, ...tests].filter((number) => !listed.includes(number)),
    [],
  )
})
