import { z } from 'zod'
import type { MessageContext } from './context.ts'

/** A tool for a language model, in plain JSON Schema: for any library of models. */
export interface BotTool {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: object
  /** Checks the arguments of the model, and returns the result as JSON. @throws z.ZodError for arguments that do not fit */
  execute(args: unknown): Promise<unknown>
}

export interface ToolOptions {
  /** Users, and groups as `@ops`, that `ask_person` may ask besides the sender of the message. */
  readonly ask?: readonly string[]
}

function tool<S extends z.ZodObject>(
  name: string,
  description: string,
  schema: S,
  run: (args: z.output<S>) => Promise<unknown>,
): BotTool {
  const parameters = z.toJSONSchema(schema)
  return { name, description, parameters, execute: async (args) => run(schema.parse(args)) }
}

const view = ({ from, text, sentAt }: { from: string; text: string; sentAt: Date }) => ({
  from,
  text,
  at: sentAt.toISOString(),
  trusted: false,
})

/**
 * The chat as tools for the model that answers it: it asks a person (for approvals, too), reads and searches this chat, and reacts.
 * No other chat can be read, and nobody else be asked than `ask` allows.
 */
export function asTools<State>(ctx: MessageContext<State>, { ask = [] }: ToolOptions = {}): BotTool[] {
  const here = ctx.group === undefined ? { with: ctx.from } : { group: ctx.group }
  const whom = z.enum([ctx.from, ...ask.filter((name) => name !== ctx.from)] as [string, ...string[]])
  return [
    tool(
      'ask_person',
      'Asks a person and waits up to five minutes. null means that nobody answered: take it as a no.',
      z.object({ to: whom, question: z.string().min(1), options: z.array(z.string().min(1)).min(1).optional() }),
      async ({ to, question, options }) => {
        const target = to === ctx.from ? {} : { to: to.startsWith('@') ? { group: to.slice(1) } : to }
        const answer = await ctx.ask(question, { ...target, ...(options !== undefined && { options }) })
        return answer === undefined ? null : { answer: answer.choice, by: answer.from, trusted: false }
      },
    ),
    tool(
      'read_chat',
      'Earlier messages of this chat, newest last.',
      z.object({ limit: z.number().int().min(1).max(100).default(20) }),
      async ({ limit }) =>
        (await ctx.history({ limit })).map(({ name, text, at }) => view({ from: name, text, sentAt: at })),
    ),
    tool(
      'search_chat',
      'Messages of this chat that contain a text.',
      z.object({ text: z.string().min(1).max(200) }),
      async ({ text }) => (await ctx.client.search(text, { ...here, limit: 20 })).messages.map(view),
    ),
    tool(
      'react',
      'Reacts to the message with one emoji.',
      z.object({ emoji: z.string().min(1).max(64) }),
      async ({ emoji }) => {
        await ctx.react(emoji)
        return 'done'
      },
    ),
  ]
}
