import { isUtf8 } from 'node:buffer'
import { buffer } from 'node:stream/consumers'
import { CliError } from './exit.ts'

/** Stdin whole, without one trailing line break. @throws CliError when it is not UTF-8 */
export async function readText(): Promise<string> {
  const bytes = await buffer(process.stdin)
  if (!isUtf8(bytes)) throw new CliError('usage', 'stdin is not UTF-8 text')
  return bytes.toString('utf8').replace(/\r?\n$/, '')
}
