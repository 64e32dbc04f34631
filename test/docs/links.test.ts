import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

test('links between the documents lead to files of the package', (t) => {
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] }
  const documents = ['README.md', 'bench/README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]
  const links = documents.flatMap((document) =>
    [...readFileSync(join(ROOT, document), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(
      ([, link = '']) => ({
        document,
        to: relative(ROOT, join(ROOT, dirname(document), link)),
      }),
    ),
  )
  t.true(links.length > 20)
  const broken = links.filter(
    ({ to }) => !existsSync(join(ROOT, to)) || !files.some((file) => to === file || to.startsWith(`${file}/`)),
  )
  t.deepEqual(broken, [])
})
