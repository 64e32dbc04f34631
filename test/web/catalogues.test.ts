import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'

const read = (language: string): Record<string, string> => JSON.parse(readFileSync(`web/i18n/${language}.json`, 'utf8'))

const [english, chinese] = [read('en'), read('zh-CN')]

/** Chinese has one form for all numbers. */
const withoutOne = (keys: string[]) => keys.filter((key) => !key.endsWith('.one'))

const placeholders = (text: string | undefined) => [...(text ?? '').matchAll(/\{\w+\}/g)].map(([name]) => name).sort()

test('both catalogues have the same keys, with the same placeholders', (t) => {
  t.deepEqual(Object.keys(chinese), withoutOne(Object.keys(english)))
  for (const key of Object.keys(chinese)) {
    t.deepEqual(placeholders(chinese[key]), placeholders(english[key]), key)
    t.not(chinese[key]?.trim(), '', key)
  }
})

test('every English text with a number has both forms', (t) => {
  const keys = Object.keys(english)
  const bases = (form: string) => keys.filter((key) => key.endsWith(form)).map((key) => key.slice(0, -form.length))
  t.true(bases('.one').length > 3)
  t.deepEqual(bases('.one'), bases('.other'))
})

test('every text is used', (t) => {
  const sources = ['web/ui', 'web/worker']
    .flatMap((folder) => readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`, 'utf8')))
    .join('\n')
  // Chosen by a value: a failure's name, a role, a group of emoji.
  const chosen = /^(failure|role|emoji\.group|dress)\./
  const unused = Object.keys(english).filter(
    (key) => !chosen.test(key) && !sources.includes(`'${key.replace(/\.(one|other)$/, '')}'`),
  )
  t.deepEqual(unused, [])
})
