// The long forms of the endurance plays: many rounds, many messages. Names of files as arguments run only those.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'

const FOLDER = 'test/endurance'

const asked = process.argv.slice(2)
const files = asked.length > 0 ? asked : readdirSync(FOLDER).map((file) => `${FOLDER}/${file}`)
// One after the other: what is measured here must not be the neighbour's load.
const ava = spawn('npx', ['ava', '--concurrency', '1', '--timeout', '30m', ...files], {
  stdio: 'inherit',
  env: { ...process.env, TEST_LONG: '1' },
})
const [code] = await once(ava, 'exit')
process.exitCode = code ?? 1
