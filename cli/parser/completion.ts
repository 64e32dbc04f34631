import type { Options } from 'yargs'
import { ALIASES, COMMANDS, commandOf } from '../commands/index.ts'
import { contextNames } from '../config/contexts.ts'
import { knownServerNames } from '../config/known-servers.ts'
import { factsOf, GLOBAL_OPTIONS, nameOf } from '../definition/command-facts.ts'
import { FORMATS } from '../output/output.ts'

/** Completion on TAB. Loads no parser, and the client library only for names that a server knows. */

/** Tells the shell to complete file names. */
const FILES = ':files'

/** Longest wait for a server at a TAB, in milliseconds. */
const SERVER_TIMEOUT_MS = 500

type Source = (words: readonly string[]) => Promise<readonly string[]>

const files: Source = async () => [FILES]
const fixed =
  (...values: readonly string[]): Source =>
  async () =>
    values

/** Values by the name of an option or positional word, in any command. */
const VALUES: Readonly<Record<string, Source>> = {
  context: () => contextNames(),
  output: fixed(...FORMATS),
  config: files,
  data: files,
  dir: files,
  exec: files,
  file: files,
  'save-files': files,
  plugin: files,
  plugins: files,
  'key-file': files,
  'password-file': files,
  'log-level': fixed('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  'log-format': fixed('auto', 'json', 'pretty'),
  shell: fixed('bash', 'zsh', 'fish'),
  role: fixed('user', 'bot', 'admin'),
  server: () => knownServerNames(),
  to: (words) => namesOf('user', words),
  from: (words) => namesOf('user', words),
  with: (words) => namesOf('user', words),
  user: (words) => namesOf('user', words),
  group: (words) => namesOf('group', words),
  type: () => messageTypes(),
}

/** Values that differ in one command. */
const EXCEPTIONS: Readonly<Record<string, Source>> = {
  'context use name': () => contextNames(),
  'context show name': () => contextNames(),
  'context remove name': () => contextNames(),
  'friends add name': fixed(),
  'groups role role': fixed('owner', 'admin', 'member'),
  'groups join group': fixed(),
  'groups create group': fixed(),
  'context forget server': () => knownServerNames(),
  'help command': async () => Object.keys(COMMANDS),
  'files get output': files,
  'listen type': async () => ['chat', 'group', 'system', ...(await messageTypes('server'))],
  'inject type': () => messageTypes('client'),
  'bot run user': fixed(),
  ...Object.fromEntries(
    ['disable', 'enable', 'passwd', 'kick'].map((verb): [string, Source] => [`users ${verb} name`, accountNames]),
  ),
  ...Object.fromEntries(
    ['accept', 'refuse', 'remove', 'block', 'unblock'].map((verb): [string, Source] => [
      `friends ${verb} name`,
      (words) => namesOf('user', words),
    ]),
  ),
}

/**
 * Completions of the last word.
 * @param words the words after `chatctl`
 */
export async function complete(words: readonly string[]): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  if (before.includes('--')) return [FILES]
  return (await candidates(before, current)).filter((word) => word === FILES || word.startsWith(current))
}

async function candidates(before: readonly string[], current: string): Promise<readonly string[]> {
  const isHelp = before[0] === 'help'
  const first = (isHelp ? before.slice(1) : before).find((word) => commandOf(word) !== undefined)
  const name = first === undefined ? undefined : commandOf(first)
  if (first === undefined || name === undefined) {
    const value = valueAsked(before, {})
    if (value !== undefined) return valuesOf(value, [], before)
    if (current.startsWith('-')) return dashes({}, ['help', 'version'])
    return [...Object.keys(COMMANDS), ...Object.keys(ALIASES), ...(isHelp ? [] : ['help', 'version'])]
  }
  let module = await COMMANDS[name]?.()
  if (module === undefined) return []
  const path = [name]
  let rest = before.slice(before.indexOf(first) + 1)
  let facts = factsOf(module)
  while (facts.commands.length > 0) {
    const { commands } = facts
    const next = rest.find((word) => commands.some((command) => nameOf(command) === word))
    module = commands.find((command) => nameOf(command) === next)
    if (next === undefined || module === undefined) return current.startsWith('-') ? dashes({}) : commands.map(nameOf)
    path.push(next)
    rest = rest.slice(rest.indexOf(next) + 1)
    facts = factsOf(module)
  }
  if (isHelp) return []
  const asked = valueAsked(before, facts.options)
  if (asked !== undefined) return valuesOf(asked, path, before, facts.options[asked]?.choices)
  if (current.startsWith('-')) return dashes(facts.options)
  const plain = rest.filter(
    (word, at) => !word.startsWith('-') && valueAsked(rest.slice(0, at), facts.options) === undefined,
  )
  // With --group there is no recipient: the first word is the text.
  const shift = facts.positionals[0] === 'to' && before.includes('--group') ? 1 : 0
  const positional = facts.positionals[plain.length + shift] ?? (facts.isOpen ? facts.positionals.at(-1) : undefined)
  return positional === undefined ? [] : valuesOf(positional, path, before)
}

/** Name of the option whose value comes next. */
function valueAsked(before: readonly string[], options: Readonly<Record<string, Options>>) {
  const last = before.at(-1) ?? ''
  if (!last.startsWith('-') || last.includes('=')) return undefined
  const name = last === '-o' ? 'output' : last.replace(/^--/, '')
  const all: Readonly<Record<string, Options>> = { ...GLOBAL_OPTIONS, ...options }
  const option = all[name]
  return option === undefined || option.type === 'boolean' ? undefined : name
}

async function valuesOf(
  name: string,
  path: readonly string[],
  before: readonly string[],
  choices?: unknown,
): Promise<readonly string[]> {
  if (Array.isArray(choices)) return choices.map(String)
  const source = EXCEPTIONS[[...path, name].join(' ')] ?? VALUES[name]
  return source === undefined ? [] : source(before)
}

const dashes = (options: object, more: readonly string[] = ['help']) =>
  [...Object.keys(options), ...Object.keys(GLOBAL_OPTIONS), ...more].map((name) => `--${name}`)

async function messageTypes(from?: 'client' | 'server'): Promise<readonly string[]> {
  const { BUILT_IN_MESSAGES } = await import('../../client/index.ts')
  return BUILT_IN_MESSAGES.filter((message) => from === undefined || message.from === from).map(({ name }) => name)
}

/** Friends or groups of the login that the words mean, as its server knows them now. */
async function namesOf(kind: 'user' | 'group', words: readonly string[]): Promise<readonly string[]> {
  const { knownContacts } = await import('../client/known-contacts.ts')
  return knownContacts(kind, optionValue('context', words), SERVER_TIMEOUT_MS)
}

/** Accounts of the running server whose data folder the words mean. */
async function accountNames(words: readonly string[]): Promise<readonly string[]> {
  const { knownAccounts } = await import('../client/known-accounts.ts')
  return knownAccounts(optionValue('data', words), SERVER_TIMEOUT_MS)
}

function optionValue(option: string, words: readonly string[]): string | undefined {
  const at = words.indexOf(`--${option}`)
  return at === -1 ? undefined : words[at + 1]
}
