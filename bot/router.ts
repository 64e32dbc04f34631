import { z } from 'zod'
import type { ChatMessage } from '../client/index.ts'
import { Command, nearest } from './command.ts'
import type { CommandHandler, Definition, MessageHandler } from './definition.ts'

/** The handler chosen for a message. */
export interface Route<State> {
  /** Its name in the log. */
  readonly handler: string
  readonly match: RegExpMatchArray
  readonly run: MessageHandler<State>
  /** True for the handler of `message`, which answers everything that no other handler does. */
  readonly isFallback?: boolean
}

/** Chooses the handler of a message: the command, else the first matching pattern, else `message`. */
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
    const { patterns, message: fallback } = this.#definition
    const whole = wholeMatch(message.text)
    const call = this.#parseCall(message.text)
    if (call?.isForOther) return undefined
    const command = call && this.#commands.get(call.name)
    if (call !== undefined && command !== undefined)
      return {
        handler: this.#prefix + command.command.name,
        match: whole,
        run: async (context) => {
          const parsed = await command.command.parse(call.args)
          if ('values' in parsed) return command.run(context, parsed.values)
          return context.reply(`${parsed.problem}\nusage: ${command.command.usage(this.#prefix)}`)
        },
      }
    for (const { pattern, run } of patterns) {
      const match = matchOf(pattern, message.text)
      if (match !== undefined) return { handler: `hears ${pattern}`, match, run }
    }
    if (fallback !== undefined) return { handler: 'message', match: whole, run: fallback, isFallback: true }
    // In a group, the command may belong to another bot.
    if (call === undefined || this.#commands.size === 0 || message.group !== undefined) return undefined
    return { handler: 'unknown command', match: whole, run: (context) => context.reply(this.#unknown(call.name)) }
  }

  /** Parses a command call, `/name@user args`; undefined for other texts. */
  #parseCall(text: string): { name: string; args: string; isForOther: boolean } | undefined {
    if (!text.startsWith(this.#prefix)) return undefined
    const [, name = '', to, args = ''] =
      /^([\p{L}\p{N}][\p{L}\p{N}_-]*)(?:@(\S+))?(?:\s+([\s\S]*))?$/u.exec(text.slice(this.#prefix.length)) ?? []
    if (name === '') return undefined
    return {
      name: name.toLowerCase(),
      args,
      isForOther: to !== undefined && to.toLowerCase() !== this.#user.toLowerCase(),
    }
  }

  #unknown(name: string): string {
    const suggestion = nearest(name, [...this.#commands.keys()])
    const help = this.#commands.has('help') ? ` ${this.#prefix}help lists the commands.` : ''
    return suggestion === undefined
      ? `There is no ${this.#prefix}${name}.${help}`
      : `There is no ${this.#prefix}${name}; did you mean ${this.#prefix}${suggestion}?`
  }

  #help(): CommandHandler<State> {
    const command = new Command('help', 'Lists the commands', { command: z.string().optional() })
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

/** A string matches the whole text, ignoring case. */
function matchOf(pattern: string | RegExp, text: string): RegExpMatchArray | undefined {
  if (typeof pattern === 'string')
    return text.trim().toLowerCase() === pattern.toLowerCase() ? wholeMatch(text.trim()) : undefined
  // Without the flags `g` and `y`, which make a RegExp stateful.
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(text) ?? undefined
}
