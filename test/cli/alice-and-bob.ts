import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openShell, type Ran, type RunOptions, type Shell } from '../support/processes/shell.ts'

export const json = ({ stdout }: Ran) => JSON.parse(stdout)

export const lines = ({ stdout }: Ran) => stdout.split('\n').filter((line) => line !== '')

export async function works(t: ExecutionContext, shell: Shell, args: readonly string[], input?: string): Promise<Ran> {
  const ran = await shell.run(args, input === undefined ? {} : { input })
  t.is(ran.code, 0, `chatctl ${args.join(' ')}: ${ran.stderr}`)
  return ran
}

/** A server with Alice and Bob registered and logged in, contexts named after them. */
export async function aliceAndBob(t: ExecutionContext, args: readonly string[] = [], options: RunOptions = {}) {
  const shell = await openShell(t)
  const room = await shell.serve(args, options)
  await writeFile(join(shell.folder, 'a.pw'), 'correct horse')
  await writeFile(join(shell.folder, 'b.pw'), 'battery staple\n')
  const at = ['--server', room.server]
  await works(t, shell, ['register', 'alice', ...at, '--nickname', '小鹰', '--password-file', 'a.pw'])
  await works(t, shell, ['register', 'bob', ...at, '--password-file', 'b.pw'])
  await works(t, shell, ['login', 'alice', ...at, '--password-file', 'a.pw'])
  await works(t, shell, ['login', 'bob', ...at, '--password-file', 'b.pw'])
  return { shell, room }
}
