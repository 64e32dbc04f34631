import type { CommandModule } from 'yargs'
import { COMMANDS, commandOf } from '../commands/index.ts'
import { type CommandFacts, factsOf, GLOBAL_OPTIONS, nameOf } from '../definition/command-facts.ts'
import { CliError } from '../errors/exit.ts'
import { closest } from '../input/suggest.ts'

/** Describes errors of usage: yargs only says that there is one. */

interface Found {
  /** The words that name the command: `['users', 'list']`. */
  readonly path: readonly string[]
  readonly facts: CommandFacts
  /** The other words, without options and their values. */
  readonly rest: readonly string[]
}

const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const isOption = (word: string) => /^-./.test(word)
const optionName = (word: string) => dashed(word.replace(/^--?/, '').replace(/=.*$/s, ''))
const ALWAYS = { ...GLOBAL_OPTIONS, help: { type: 'boolean' }, version: { type: 'boolean' } } as const
const SHORT: Readonly<Record<string, string>> = { o: 'output', h: 'help' }

/** Words before `--`; what follows it names neither options nor commands. */
function beforeDashes(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--')
  return end === -1 ? argv : argv.slice(0, end)
}

/** Words that are neither options nor their values. The word after an unknown option counts as its value. */
function plainWords(argv: readonly string[], options: CommandFacts['options']): string[] {
  const all: CommandFacts['options'] = { ...ALWAYS, ...options }
  const words = beforeDashes(argv)
  return words.filter((word, index) => {
    const before = words[index - 1]
    if (isOption(word)) return false
    if (before === undefined || !isOption(before) || before.includes('=')) return true
    const name = optionName(before)
    const known = all[SHORT[name] ?? name]
    return known === undefined ? name.startsWith('no-') : known.type === 'boolean'
  })
}

/** @throws CliError `usage` when the words name no command */
async function find(argv: readonly string[]): Promise<Found> {
  const words = plainWords(argv, {})
  const first = words.find((word) => commandOf(word) !== undefined) ?? words[0]
  const [unknown] = first === undefined ? unknownOptions(argv, factsOf({ command: '' })) : []
  if (unknown !== undefined) throw unknownOption(unknown, factsOf({ command: '' }))
  if (first === undefined) throw unknownCommand([], Object.keys(COMMANDS))
  const name = commandOf(first)
  const module = name === undefined ? undefined : await COMMANDS[name]?.()
  if (module === undefined) throw unknownCommand([first], Object.keys(COMMANDS))
  let path = [first]
  let facts = factsOf(module)
  while (facts.commands.length > 0) {
    const after = plainWords(argv, facts.options)
    const next = after[after.indexOf(first) + path.length]
    const found: CommandModule | undefined = facts.commands.find((command) => nameOf(command) === next)
    if (found === undefined)
      throw unknownCommand(next === undefined ? path : [...path, next], facts.commands.map(nameOf), path.length)
    path = [...path, nameOf(found)]
    facts = factsOf(found)
  }
  const left = plainWords(argv, facts.options)
  const last = argv.slice(beforeDashes(argv).length + 1)
  return { path, facts, rest: [...left.slice(left.indexOf(first) + path.length), ...last] }
}

/** @param depth how many of the words name a group of commands */
function unknownCommand(words: readonly string[], commands: readonly string[], depth = 0): CliError {
  const list = `commands: ${commands.join(', ')}`
  if (words.length === depth) {
    const group = words.length === 0 ? 'say what to do' : `say which command of ${words.join(' ')}`
    return new CliError('usage', group, list)
  }
  const near = closest(words.at(-1) ?? '', commands)
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}? ${list}` : list
  return new CliError('usage', `unknown command "${words.join(' ')}"`, hint)
}

/** For a text such as "-5 degrees", which looks like options. */
const DASHES = 'words that begin with - and are no options go last, after --: chatctl send bob -- "-5 degrees"'

function unknownOption(word: string, facts: CommandFacts): CliError {
  const name = optionName(word)
  if (facts.positionals.includes(name)) {
    const words = facts.needed.includes(name) ? `<${name}>` : `[${name}]`
    return new CliError('usage', `--${name} is no option`, `it is a word of its own, without a name in front: ${words}`)
  }
  if (!/^--?[a-zA-Z][\w-]*(=|$)/.test(word)) return new CliError('usage', `unknown option "${word}"`, DASHES)
  const [near] = closest(name, Object.keys({ ...ALWAYS, ...facts.options }))
  const written = word.replace(/=.*$/s, '')
  if (near === undefined) {
    const options = Object.keys(facts.options).map((option) => `--${option}`)
    const hint = options.length > 0 ? `options: ${options.join(', ')}` : DASHES
    return new CliError('usage', `unknown option ${written}`, hint)
  }
  return new CliError('usage', `unknown option ${written}, did you mean --${near}?`)
}

/** Options that the command does not have; a value such as -5 belongs to the option before it. */
function unknownOptions(argv: readonly string[], facts: CommandFacts): string[] {
  const known: CommandFacts['options'] = { ...ALWAYS, ...facts.options }
  const words = beforeDashes(argv)
  return words.filter((word, index) => {
    if (!isOption(word)) return false
    if (/^-\d/.test(word) && isOption(words[index - 1] ?? '')) return false
    const name = optionName(word)
    if (/^-[^-]/.test(word)) return SHORT[name] === undefined && !word.startsWith('-o')
    return !(name in known) && !(name.startsWith('no-') && known[name.slice(3)]?.type === 'boolean')
  })
}

/** Help text of an option: `--delay: send it after this time, such as 90s`. */
function meaningOf(name: string, { options }: CommandFacts): string | undefined {
  const { describe } = ({ ...ALWAYS, ...options } as CommandFacts['options'])[name] ?? {}
  return describe === undefined ? undefined : `--${name}: ${describe}`
}

/** A value such as `-5s`, which the parser takes for the options -5 and -s. */
function negativeValue(argv: readonly string[], facts: CommandFacts): CliError | undefined {
  const words = beforeDashes(argv)
  const at = words.findIndex((word, index) => /^-\d.*\D/.test(word) && /^--[^=]+$/.test(words[index - 1] ?? ''))
  if (at === -1) return undefined
  const name = optionName(words[at - 1] ?? '')
  return new CliError('usage', `--${name}: "${words[at]}" is less than 0`, meaningOf(name, facts))
}

/** @throws CliError `usage` unless the words name a command, or nothing */
export async function requireCommand(argv: readonly string[]): Promise<void> {
  const [first] = argv
  if (first !== undefined && commandOf(first) === undefined && !isOption(first)) await find(argv)
}

/**
 * Refuses options that are words of the command: the parser would take `--to alice` for the first word.
 * @throws CliError `usage`
 */
export async function refuseNamedWords(argv: readonly string[]): Promise<void> {
  const words = beforeDashes(argv).filter((word) => word.startsWith('--'))
  if (words.length === 0) return
  const name = plainWords(argv, {})
    .map(commandOf)
    .find((found) => found !== undefined)
  const module = name === undefined ? undefined : await COMMANDS[name]?.()
  if (module === undefined) return
  const { commands } = factsOf(module)
  const sub = commands.find((command) => argv.includes(nameOf(command)))
  const facts = factsOf(sub ?? module)
  const wrong = words.find((word) => {
    const option = optionName(word)
    return facts.positionals.includes(option) && !(option in facts.options)
  })
  if (wrong !== undefined) throw unknownOption(wrong, facts)
}

/**
 * The error of words that the parser has refused.
 * @param message the parser's own message, the last resort
 */
export async function explainWords(message: string, argv: readonly string[]): Promise<CliError> {
  let found: Found
  try {
    found = await find(argv)
  } catch (error) {
    if (error instanceof CliError) return error
    throw error
  }
  const { path, facts, rest } = found
  const usage = `\`${['chatctl', ...path, '--help'].join(' ')}\` shows what goes there`
  const choice = /Argument: ([\w-]+), Given: (.*), Choices: (.*)/.exec(message)
  if (choice !== null) {
    const [, name = '', given = '', choices = ''] = choice
    const shown = facts.positionals.includes(name) ? `<${name}>` : `--${dashed(name)}`
    return new CliError('usage', `${shown}: ${given} is none of ${choices.replaceAll('"', '')}`)
  }
  const [unknown] = unknownOptions(argv, facts)
  if (unknown !== undefined) return unknownOption(unknown, facts)
  const negative = negativeValue(argv, facts)
  if (negative !== undefined) return negative
  const [, valueless] = /^Not enough arguments following: (.+)$/.exec(message) ?? []
  if (valueless !== undefined)
    return new CliError('usage', `--${dashed(valueless)} needs a value`, meaningOf(dashed(valueless), facts))
  const missing = facts.needed.slice(rest.length)
  if (message.startsWith('Not enough non-option') && missing.length > 0)
    return new CliError('usage', 'words are missing', `${usage}: ${missing.map((word) => `<${word}>`).join(' ')}`)
  const extra = facts.isOpen ? [] : rest.slice(facts.positionals.length)
  if (extra.length > 0)
    return new CliError('usage', `too many words: ${extra.map((word) => `"${word}"`).join(' ')}`, usage)
  return new CliError('usage', message.replace(/\s*\n\s*/g, ' '), usage)
}
