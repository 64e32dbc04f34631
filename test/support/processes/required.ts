import { spawnSync } from 'node:child_process'
import type { ExecutionContext } from 'ava'

/**
 * Whether a program is installed. Without it the test passes with a loud notice, and fails where CI is set: `.ci/run`
 * installs everything.
 */
export function requireProgram(t: ExecutionContext, name: string): boolean {
  if (spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin" command -v ${name}`]).status === 0) return true
  if (process.env.CI !== undefined) t.fail(`${name} is not installed`)
  console.error(`\n!!! ${name} is not installed: "${t.title}" WAS NOT TESTED (Debian: apt-get install ${name})\n`)
  t.pass()
  return false
}
