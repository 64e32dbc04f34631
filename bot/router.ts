import { z } from 'zod'
import type { ChatMessage } from '../client/index.ts'
import { Command, nearest } from './command.ts'
import type { CommandHandler, Definition, MessageHandler } from './definition.ts'

/** Where a message goes. */
export interface Route<State> {
  /** For the log. */
  readonly handler: string
  readonly match: RegExpMatchArray
  readonly run: MessageHandler<State>
}

/** Finds the one handler of a message: a command, else the first pattern that fits, else what takes the rest. */
export class Router<State> {
  readonly #definition: Definition<State>
  readonly #commands: Map<string, CommandHandler<State>>
  readonly #prefix: string
  readonly #user: string

  /** @param user the bot's account, as in `/roll@dice` */
  constructor(definition: Definition<State>, user: string) {
    this.#definition = definition
    this.#prefix = definition.options.prefix ?? '/'
    this.#user = user
    this.#commands = new Map(definition.commands)
    if (this.#commands.size > 0 && !this.#commands.has('help')) this.#commands.set('help', this.#help())
  }

  route(message: ChatMessage): Route<State> | undefined {
    const { patterns, message: rest } = this.#definition
    const whole = wholeMatch(message.text)
    const called = this.#called(message.text)
    if (called?.isOther) return undefined
    const command = called && this.#commands.get(called.name)
    if (called !== undefined && command !== undefined)
      return {
        handler: this.#prefix + command.command.name,
        match: whole,
        run: async (context) => {
          const parsed = await command.command.parse(called.words)
          if ('values' in parsed) return command.run(context, parsed.values)
          return context.reply(`${parsed.problem}\nusage: ${command.command.usage(this.#prefix)}`)
        },
      }
    for (const { pattern, run } of patterns) {
      const match = matchOf(pattern, message.text)
      if (match !== undefined) return { handler: `hears ${pattern}`, match, run }
    }
    if (rest !== undefined) return { handler: 'message', match: whole, run: rest }
    // In a group the command may be another bot's.
    if (called === undefined || this.#commands.size === 0 || message.group !== undefined) return undefined
    return { handler: 'unknown command', match: whole, run: (context) => context.reply(this.#unknown(called.name)) }
  }

  /** The command that a text calls; `isOther` if it is addressed to someone else. */
  #called(text: string): { name: string; words: string; isOther: boolean } | undefined {
    if (!text.startsWith(this.#prefix)) return undefined
    const [, name = '', to, words = ''] =
      /^([\p{L}\p{N}][\p{L}\p{N}_-]*)(?:@(\S+))?(?:\s+([\s\S]*))?$/u.exec(text.slice(this.#prefix.length)) ?? []
    if (name === '') return undefined
    return {
      name: name.toLowerCase(),
      words,
      isOther: to !== undefined && to.toLowerCase() !== this.#user.toLowerCase(),
    }
  }

  #unknown(name: string): string {
    const known = [...this.#commands.keys()]
    const meant = nearest(name, known)
    const help = this.#commands.has('help') ? ` ${this.#prefix}help lists what there is.` : ''
    return meant === undefined
      ? `There is no ${this.#prefix}${name}.${help}`
      : `There is no ${this.#prefix}${name}; did you mean ${this.#prefix}${meant}?`
  }

  #help(): CommandHandler<State> {
    const command = new Command('help', 'Says what there is', { command: z.string().optional() })
    return {
      command,
      run: (context, { command: asked }) => context.reply(this.#helpText(asked as string | undefined)),
    }
  }

  #helpText(asked: string | undefined): string {
    if (asked === undefined)
      return [...this.#commands.values()]
        .map(({ command }) => `${command.usage(this.#prefix)}  ${command.about}`)
        .join('\n')
    const name = asked.startsWith(this.#prefix) ? asked.slice(this.#prefix.length) : asked
    return this.#commands.get(name.toLowerCase())?.command.help(this.#prefix) ?? this.#unknown(name)
  }
}

const wholeMatch = (text: string) => /[\s\S]*/.exec(text) as RegExpMatchArray

/** A string fits the whole text, in whatever case. */
function matchOf(pattern: string | RegExp, text: string): RegExpMatchArray | undefined {
  if (typeof pattern === 'string')
    return text.trim().toLowerCase() === pattern.toLowerCase() ? wholeMatch(text.trim()) : undefined
  // Without the flags that make a pattern remember where it was.
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(text) ?? undefined
}
