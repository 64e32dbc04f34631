import { resolve } from 'node:path'
import type { Bot } from '../../bot/index.ts'
import { fileOf, importFile } from '../../core/plugin/plugin-loader.ts'
import { CliError } from '../errors/exit.ts'

/**
 * Loads the bot that a file exports; TypeScript as it is.
 * @param options.fresh whether to bypass the module cache
 * @throws CliError that names the file and what was found in it
 */
export async function loadBot(file: string, options?: { readonly fresh: boolean }): Promise<Bot<unknown>> {
  let module: Record<string, unknown>
  try {
    module = (await importFile(await fileOf(resolve(file)), options)) as Record<string, unknown>
  } catch (error) {
    throw new CliError('failed', `cannot load ${file}: ${(error as Error).message}`)
  }
  const found = [module.default, ...Object.values(module)].find(isBot)
  if (found !== undefined) return found
  const exports = Object.keys(module).join(', ') || 'nothing'
  throw new CliError('failed', `${file} exports no bot (found: ${exports})`, 'export createBot({ … }) as default')
}

function isBot(value: unknown): value is Bot<unknown> {
  if (typeof value !== 'object' || value === null) return false
  const { name, start, command } = value as Partial<Bot<unknown>>
  return typeof name === 'string' && typeof start === 'function' && typeof command === 'function'
}
