// Makes a release in this checkout: `npm run release -- 0.2.0`. It checks, sets the version, commits, tags and packs. It
// pushes and publishes nothing. --dry-run checks only; --check COMMAND runs another command than `npm run check`.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import semver from 'semver'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false }, check: { type: 'string', default: 'npm run check' } },
})
const [version = ''] = positionals
const tag = `v${version}`
const date = /^\d{4}-\d{2}-\d{2}$/

function fail(message, code = 1) {
  console.error(`release: ${message}`)
  process.exit(code)
}

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim()

function checkTree() {
  const changed = git('status', '--porcelain')
  if (changed !== '') fail(`the tree is not clean:\n${changed}`)
}

/** The version's section needs the date of the release and at least one entry. */
function checkChangelog() {
  const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m)
  const section = sections.find((text) => text.startsWith(`[${version}]`))
  if (section === undefined) fail(`CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD"`)
  const [title = '', ...lines] = section.split('\n')
  if (!date.test(title.split(' - ')[1]?.trim() ?? '')) fail(`CHANGELOG.md gives no date for ${version}: "## ${title}"`)
  if (!lines.some((line) => line.startsWith('- '))) fail(`CHANGELOG.md says nothing about ${version}`)
}

function run(program, ...args) {
  console.log(`$ ${[program, ...args].join(' ')}`)
  if (values['dry-run']) return
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) fail(`${program} ended with ${status}`)
}

if (positionals.length !== 1 || semver.valid(version) !== version)
  fail('usage: npm run release -- VERSION [--dry-run] [--check COMMAND]', 2)
const { name, version: current } = JSON.parse(readFileSync('package.json', 'utf8'))
if (semver.lt(version, current)) fail(`${version} is lower than ${current}, the version in package.json`)
const branch = git('branch', '--show-current')
if (branch !== 'main') fail(`releases are made on main, this is ${branch || 'no branch'}`)
if (git('tag', '--list', tag) !== '') fail(`the tag ${tag} exists`)
checkTree()
checkChangelog()

console.log(`checking with: ${values.check}`)
if (spawnSync(values.check, { shell: true, stdio: 'inherit' }).status !== 0) fail(`\`${values.check}\` failed`)
// Formatting is part of the check: what it changed is not committed yet.
checkTree()

if (values['dry-run']) console.log('would run:')
if (version !== current) {
  run('npm', 'version', version, '--no-git-tag-version')
  run('git', 'commit', '--all', '--message', `Release ${version}`, '--message', 'What changes is in CHANGELOG.md.')
}
run('git', 'tag', '--annotate', tag, '--message', `${name} ${version}`)
run('npm', 'pack')

console.log(`
Nothing was pushed or published. Next:
  git push origin main ${tag}
  npm publish ./${name}-${version}.tgz
Then begin a section "## [Unreleased]" in CHANGELOG.md.`)
