import { z } from 'zod'
import { QueryContacts } from '../contacts/messages.ts'
import type { Agent } from './agent.ts'
import { type Call, MAX_SECONDS } from './looking.ts'
import { askId, questionText } from './questions.ts'
import { parseTarget, type Rights, reach } from './rights.ts'

/** A tool for models: its arguments are checked by the schema. */
export interface Tool<Args = never> {
  readonly name: string
  readonly description: string
  readonly input: z.ZodObject
  readonly isReadOnly: boolean
  isAllowed(rights: Rights): boolean
  /** Resolves with what the model gets, as JSON. */
  run(agent: Agent, args: Args, call: Call): Promise<object>
}

const tool = <S extends z.ZodObject>(
  facts: Omit<Tool, 'run' | 'input' | 'isReadOnly'> & {
    readonly input: S
    readonly isReadOnly?: boolean
    run(agent: Agent, args: z.output<S>, call: Call): Promise<object>
  },
): Tool => ({ isReadOnly: true, ...facts }) as Tool

const to = z.string().min(1).max(256).describe('a user, such as "bob", or a group, such as "@ops"')
const text = z.string().min(1)
const key = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .describe('your own key of this message: called again with it, nothing is sent twice')
const seconds = z.number().min(0).max(MAX_SECONDS).default(MAX_SECONDS).describe('how long to wait')
const limit = z.number().int().min(1).max(50).default(20)
const before = z.number().int().min(0).default(0).describe('only messages with a lower id; 0: the newest')

/** Contacts that `directory` returns at most. */
const MAX_CONTACTS = 100
/** Pages of contacts that are read. */
const MAX_PAGES = 8

const canRead = ({ read }: Rights) => read
const canSend = ({ send }: Rights) => send
const canAsk = (rights: Rights) => canSend(rights) && canRead(rights)

export const TOOLS: readonly Tool[] = [
  tool({
    name: 'send',
    description: 'Sends a message to a person or a group, and returns its id once it is stored.',
    input: z.object({ to, text, key }),
    isReadOnly: false,
    isAllowed: canSend,
    async run(agent, { to, text, key }) {
      const { id, sentAt, repeat } = await agent.send(reach(agent.rights, to), text, key)
      return { id, at: new Date(sentAt).toISOString(), repeat }
    },
  }),
  tool({
    name: 'ask',
    description:
      'Asks a person, or the members of a group, and waits for the answer. Use it for approvals: only an answer in the state "answered" counts. "pending" means that nobody has answered yet: call ask_result with the returned `ask`.',
    input: z.object({
      to,
      question: text,
      options: z.array(z.string().min(1).max(100)).min(1).max(10).optional().describe('the answers there are'),
      seconds,
      key,
    }),
    isReadOnly: false,
    isAllowed: canAsk,
    async run(agent, { to, question, options, seconds, key }, call) {
      const target = reach(agent.rights, to)
      const { id } = await agent.send(target, questionText(question, options), key)
      return agent.questions.await(askId(target, id), seconds, call)
    },
  }),
  tool({
    name: 'ask_result',
    description: 'Goes on waiting for the answer to a question of `ask`.',
    input: z.object({ ask: z.string().max(300).describe('as `ask` returned it'), seconds }),
    isAllowed: canAsk,
    run: (agent, { ask, seconds }, call) => agent.questions.await(ask, seconds, call),
  }),
  tool({
    name: 'wait',
    description:
      'Waits for the next message, of anybody or of one conversation. Returns { message: null } if none comes in time: call it again. A message may come twice after a crash, and none is left out.',
    input: z.object({
      in: to.optional().describe('only messages of this user, or of this @group'),
      mention: z.boolean().default(false).describe('only messages that name your account with @'),
      seconds,
    }),
    isAllowed: canRead,
    async run(agent, { in: name, mention, seconds }, call) {
      const wanted = { in: name === undefined ? undefined : reach(agent.rights, name), mention }
      const found = await agent.inbox.wait(wanted, seconds, call)
      return { message: found === undefined ? null : (agent.view([found])[0] ?? null) }
    },
  }),
  tool({
    name: 'inbox',
    description: 'Unread messages of all conversations, oldest first. The next call marks them as read.',
    input: z.object({ limit }),
    isAllowed: canRead,
    async run(agent, { limit }) {
      const { messages, more } = await agent.inbox.unread(limit)
      const page = agent.oldest(messages, more)
      agent.inbox.shown(messages.slice(0, page.messages.length))
      return page
    },
  }),
  tool({
    name: 'history',
    description: 'Messages of one conversation, newest last; a page is at most 8 KiB.',
    input: z.object({ with: to, before, limit }),
    isAllowed: canRead,
    run: (agent, { with: name, before, limit }) => agent.history(reach(agent.rights, name), { before, limit }),
  }),
  tool({
    name: 'search',
    description: 'Messages that contain a text, in any case. If there are `more`, go on with `before`.',
    input: z.object({ text: z.string().min(1).max(200), with: to.optional(), before }),
    isAllowed: canRead,
    run: (agent, { text, with: name, before }) =>
      agent.search(text, name === undefined ? undefined : reach(agent.rights, name), before),
  }),
  tool({
    name: 'directory',
    description: 'Whom you can reach: contacts and groups, with the number of unread messages.',
    input: z.object({ filter: z.string().max(100).default('').describe('part of a name') }),
    isAllowed: canRead,
    run: (agent, { filter }) => directory(agent, filter.toLowerCase()),
  }),
]

interface ContactView {
  readonly name: string
  readonly unread?: number
}

async function directory({ caller, rights }: Agent, filter: string) {
  const found = new Map<string, ContactView>()
  let isComplete = false
  for (let pages = 0, skip = 0; pages < MAX_PAGES && !isComplete; pages++) {
    const { contacts, more } = await caller.request(QueryContacts, { skip })
    for (const { kind, name: plain, nickname, online, unread, lastAt } of contacts) {
      const name = kind === 4 ? `@${plain}` : plain
      if (!`${plain} ${nickname}`.toLowerCase().includes(filter) || !rights.mayReach(parseTarget(name))) continue
      const last = lastAt > 0 ? { lastAt: new Date(lastAt).toISOString() } : {}
      found.set(name, { name, ...(kind !== 4 && { nickname, online }), unread, ...last })
    }
    skip += contacts.length
    isComplete = !more
  }
  // Not everyone whom it may reach is a contact yet.
  for (const name of rights.names ?? []) if (name.includes(filter) && !found.has(name)) found.set(name, { name })
  const all = [...found.values()]
  return { contacts: all.slice(0, MAX_CONTACTS), more: !isComplete || all.length > MAX_CONTACTS, trusted: false }
}
