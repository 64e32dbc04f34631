import { createRequire } from 'node:module'
import type Yargs from 'yargs'

/**
 * The parser of the command line. Required, not imported: as one file it loads in a fifth of the time of its modules,
 * and wraps help between words, which its ES modules do not.
 */
export const yargs: typeof Yargs = createRequire(import.meta.url)('yargs/yargs')
