import { listContexts } from './contexts.ts'

type Done = (completions: string[]) => void
type Standard = (callback?: (error: Error | null, completions: string[] | undefined) => void) => void

/** Completes the value of `--context` from the kept logins, everything else from the commands themselves. */
export function completeContext(_current: string, argv: object, standard: Standard, done: Done) {
  const words = process.argv.slice(process.argv.indexOf('--get-yargs-completions') + 1)
  if (words.at(-2) !== '--context' && (argv as { context?: unknown }).context !== '') return standard()
  listContexts().then(
    (contexts) => done(contexts.map(({ name }) => name)),
    () => done([]),
  )
}
