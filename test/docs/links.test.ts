import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const markdownIn = (folder: string, options = { recursive: false }) =>
  readdirSync(join(ROOT, folder), { ...options, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))

const documents = [...markdownIn('.'), 'bench/README.md', ...markdownIn('docs', { recursive: true })]

test('links between the documents lead to files of the package', (t) => {
  const { files } = JSON.parse(read('package.json')) as { files: string[] }
  const links = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, link = '']) => ({
      document,
      to: relative(ROOT, join(ROOT, dirname(document), link)),
    })),
  )
  t.true(links.length > 50)
  const broken = links.filter(
    ({ to }) => !existsSync(join(ROOT, to)) || !files.some((file) => to === file || to.startsWith(`${file}/`)),
  )
  t.deepEqual(broken, [])
})

test('source files that a document names exist', (t) => {
  const about = documents.filter((file) =>
    /^(README|CONTRIBUTING|docs\/ARCHITECTURE)\.md$|^docs\/decisions\//.test(file),
  )
  const named = about.flatMap((document) =>
    [...read(document).matchAll(/`((?:core|plugins|db|client|bot|cli|testing|test|scripts)\/[\w./-]+\.(?:ts|mjs))`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !/NAME|NNNN/.test(path))
      .map((path) => ({ document, path })),
  )
  t.true(named.length > 30)
  t.deepEqual(
    named.filter(({ path }) => !existsSync(join(ROOT, path))),
    [],
  )
})

test('the way of a message has at most twenty files, each once', (t) => {
  const steps = [...read('docs/ARCHITECTURE.md').matchAll(/^(\d+)\. `([\w/.-]+)`/gm)].map(([, number, file]) => ({
    number,
    file,
  }))
  t.deepEqual(
    steps.map(({ number }) => Number(number)),
    steps.map((_, index) => index + 1),
  )
  t.true(steps.length > 10 && steps.length <= 20)
  t.is(new Set(steps.map(({ file }) => file)).size, steps.length)
})

test('each decision is numbered, listed, and says why and at what cost', (t) => {
  const decisions = markdownIn('docs/decisions').filter((file) => !file.endsWith('README.md'))
  const index = read('docs/decisions/README.md')
  for (const [at, file] of decisions.sort().entries()) {
    const [, number = ''] = /(\d{4})-[\w-]+\.md$/.exec(file) ?? []
    t.is(Number(number), at + 1, file)
    t.true(index.includes(`[${number}](${file.slice('docs/decisions/'.length)})`), file)
    const text = read(file)
    t.true(text.startsWith(`# ${number}: `), file)
    t.deepEqual(
      [...text.matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, part]) => part),
      ['Context', 'Decision', 'Alternatives', 'Consequences', 'Costs'],
      file,
    )
  }
})
