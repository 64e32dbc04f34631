import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { bundle } from '../support/browser/bundle.ts'
import { tempFolder } from '../support/temp-folder.ts'

test('the client bundles for browsers without anything of Node, within its budget', async (t) => {
  t.regex((await bundle()).stdout, /^\d+ of \d+ bytes after gzip\n$/)
})

test('a bundle above the budget fails', async (t) => {
  const { stderr } = await t.throwsAsync<Error & { stderr: string }>(bundle('--budget', '1000'))
  t.regex(stderr, /^\d+ bytes above the budget\n$/)
})

test('a module of Node in the bundle fails, with the file that imports it', async (t) => {
  const entry = join(await tempFolder(t), 'entry.js')
  await writeFile(
    entry,
    "import { connect } from 'node:net'\nimport { readFileSync } from 'fs'\nconnect(readFileSync)\n",
  )
  const { stderr } = await t.throwsAsync<Error & { stderr: string }>(bundle('--entry', entry))
  t.regex(stderr, /entry\.js imports node:net\n.*entry\.js imports fs\n$/)
})
