import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { tempFolder } from '../support/temp-folder.ts'

const SCRIPT = fileURLToPath(new URL('../../../scripts/release.mjs', import.meta.url))
const CHANGELOG =
  '# Changelog\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- Polls.\n\n## [0.1.0] - 2026-11-01\n\n- All.\n'
const PACKAGE = { name: 'sample', version: '0.1.0', files: ['CHANGELOG.md'] }

/** A repository of a small package on main, with a section for 0.2.0 in its changelog. */
async function openRepository(t: ExecutionContext, { changelog = CHANGELOG } = {}) {
  const folder = await tempFolder(t)
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ann',
    GIT_AUTHOR_EMAIL: 'ann@example.org',
    GIT_COMMITTER_NAME: 'Ann',
    GIT_COMMITTER_EMAIL: 'ann@example.org',
  }
  const write = (name: string, text: string) => writeFile(join(folder, name), text)
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, env, encoding: 'utf8' }).trim()
  git('init', '--quiet', '--initial-branch', 'main')
  await write('package.json', JSON.stringify(PACKAGE))
  await write(
    'package-lock.json',
    JSON.stringify({ name: 'sample', version: '0.1.0', lockfileVersion: 3, packages: {} }),
  )
  await write('CHANGELOG.md', changelog)
  await write('.gitignore', '*.tgz\n.npm/\n')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'Begin')
  return {
    git,
    write,
    read,
    /** Runs the script with a check of the test's own in place of `npm run check`. */
    release(args: readonly string[], check = 'true') {
      const all = [SCRIPT, ...args, '--check', check]
      const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: folder, env, encoding: 'utf8' })
      return { status, stdout, stderr }
    },
  }
}

test('a release sets the version, commits, tags and packs, and says what to do next', async (t) => {
  const { git, read, release } = await openRepository(t)
  const { status, stdout, stderr } = release(['0.2.0'])
  t.is(status, 0, stderr)
  t.is(read('package.json').version, '0.2.0')
  t.is(read('package-lock.json').version, '0.2.0')
  t.is(git('log', '-1', '--format=%s'), 'Release 0.2.0')
  t.is(git('rev-parse', 'v0.2.0^{commit}'), git('rev-parse', 'HEAD'))
  t.is(git('status', '--porcelain'), '')
  t.is(git('ls-files', '--others', '--ignored', '--exclude-standard', '*.tgz'), 'sample-0.2.0.tgz')
  t.regex(stdout, /checking with: true\n/)
  t.regex(stdout, /Nothing was pushed or published.*git push origin main v0\.2\.0/s)
})

test('the first release takes the version that is there, and only tags and packs', async (t) => {
  const { git, release } = await openRepository(t)
  t.is(release(['0.1.0']).status, 0)
  t.is(git('log', '-1', '--format=%s'), 'Begin')
  t.is(git('tag'), 'v0.1.0')
  t.regex(release(['0.1.0']).stderr, /the tag v0\.1\.0 exists/)
})

test('a dry run checks, shows the commands, and changes nothing', async (t) => {
  const { git, read, release } = await openRepository(t)
  const { status, stdout } = release(['0.2.0', '--dry-run'])
  t.is(status, 0)
  t.regex(stdout, /would run:\n\$ npm version 0\.2\.0 .*\n\$ git commit .*\n\$ git tag .*\n\$ npm pack\n/)
  t.is(read('package.json').version, '0.1.0')
  t.is(git('tag'), '')
  t.is(git('log', '--format=%s'), 'Begin')
})

test('a release is refused before anything is changed', async (t) => {
  const { git, write, release } = await openRepository(t)
  const refused = (args: readonly string[], message: RegExp, check?: string) => {
    const { status, stderr } = release(args, check)
    t.not(status, 0)
    t.regex(stderr, message)
    t.is(git('tag'), '')
    t.is(git('log', '--format=%s'), 'Begin')
  }
  refused([], /usage/)
  refused(['v0.2.0'], /usage/)
  refused(['0.0.9'], /0\.0\.9 is lower than 0\.1\.0/)
  refused(['0.3.0'], /no section "## \[0\.3\.0\] - YYYY-MM-DD"/)
  refused(['0.2.0'], /`false` failed/, 'false')
  refused(['0.2.0'], /not clean:\n\?\? made$/m, 'touch made')
  git('clean', '--quiet', '--force')
  await write('left.txt', 'not committed')
  refused(['0.2.0'], /not clean:\n\?\? left\.txt/)
  git('clean', '--quiet', '--force')
  git('switch', '--quiet', '--create', 'topic')
  refused(['0.2.0'], /made on main, this is topic/)
})

test('a section without a date or without an entry is refused', async (t) => {
  const undated = await openRepository(t, { changelog: '## [0.2.0] - unreleased\n\n- Polls.\n' })
  t.regex(undated.release(['0.2.0']).stderr, /gives no date for 0\.2\.0/)
  const empty = await openRepository(t, { changelog: '## [0.2.0] - 2026-12-01\n\n### Added\n' })
  t.regex(empty.release(['0.2.0']).stderr, /says nothing about 0\.2\.0/)
})
