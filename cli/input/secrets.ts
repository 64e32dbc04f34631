import { createReadStream } from 'node:fs'
import { CliError } from '../errors/exit.ts'
import { reasonOf } from '../errors/system-error.ts'
import { STDIN, unmarked } from './marks.ts'
import { readAll } from './stdin.ts'

/** Longest password or key, in bytes: a longer file is the wrong one. */
const MAX_SECRET = 65_536

/**
 * A password: from a file, from stdin (`-`), or asked for on a terminal; never from a flag, where everyone on the
 * machine could read it. One trailing line break is dropped.
 */
export async function readPassword(
  file: string | undefined,
  { prompt, repeat = false }: { prompt: string; repeat?: boolean },
) {
  const password = file === undefined ? await ask(prompt, repeat) : await readSecret(file, 'password')
  if (password === '') throw new CliError('usage', 'the password is empty')
  return password
}

/** Content of a file or stdin (`-`), without one trailing line break. @param what its name in errors */
export async function readSecret(file: string, what: 'password' | 'key'): Promise<string> {
  try {
    const stream = file === STDIN || file === '-' ? process.stdin : createReadStream(file)
    return await readAll(stream, 'it', MAX_SECRET)
  } catch (error) {
    throw new CliError('usage', `cannot read the ${what} file ${unmarked(file)}: ${reasonOf(error)}`)
  }
}

async function ask(prompt: string, repeat: boolean): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new CliError('usage', 'no password', 'give --password-file FILE, or --password-file - to read stdin')
  const { isCancel, password } = await import('@clack/prompts')
  const answer = async (message: string) => {
    const given = await password({ message, output: process.stderr })
    if (isCancel(given)) throw new CliError('interrupted', 'stopped')
    return given
  }
  const first = await answer(prompt)
  if (repeat && first !== (await answer('Once more'))) throw new CliError('usage', 'the two passwords differ')
  return first
}
