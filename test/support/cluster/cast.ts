import { createInterface } from 'node:readline'
import { Client as AgentClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { ExecutionContext } from 'ava'
import { z } from 'zod'
import { createBot } from '../../../bot/index.ts'
import { quiet } from '../bots/bots.ts'
import type { Person } from '../browser/person.ts'
import { EventReader, type ReceivedEvent } from '../http/events.ts'
import { ask } from '../http/http.ts'
import type { Receiver } from '../http/receiver.ts'
import type { OriginalClient } from '../original-client/original-client.ts'
import type { Shell } from '../processes/shell.ts'

/** Members of one group, each at a program of another kind. */

export const GROUP = 'everyone'
/** Frame of the original's protocol: a message of a group. */
const GROUP_MESSAGE = 122

/** The messages that somebody has heard, in the order of hearing. */
class Ears {
  readonly texts: string[] = []
  #wake = () => {}
  #fault: Error | undefined

  hear(text: string) {
    this.texts.push(text)
    this.#wake()
  }

  /** Nothing more is heard. */
  fail(error: Error) {
    this.#fault = error
    this.#wake()
  }

  /** Resolves when all these texts were heard. */
  async until(...texts: readonly string[]) {
    while (!texts.every((text) => this.texts.includes(text))) {
      if (this.#fault !== undefined) throw this.#fault
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export interface Member {
  readonly name: string
  /** Own messages are heard too. */
  readonly hearsOwn?: boolean
  /** Writes to the group. */
  say(text: string): Promise<unknown>
  /** Waits until all these texts of others were heard in the group. */
  until(...texts: readonly string[]): Promise<void>
  /** Everything that was heard in the group, in its order. */
  heard(): Promise<readonly string[]>
}

const withEars = (name: string, ears: Ears, say: Member['say']): Member => ({
  name,
  say,
  until: (...texts) => ears.until(...texts),
  heard: async () => ears.texts,
})

/** At the original's client. Its frames of other types are read and dropped. */
export function atOriginalClient(name: string, client: OriginalClient): Member {
  const ears = new Ears()
  const listen = async () => {
    while (!client.closed) {
      const { type, values } = await client.next()
      if (type === GROUP_MESSAGE) ears.hear((values[3] ?? '').replace(/\n$/, ''))
    }
  }
  listen().catch((error) => ears.fail(error))
  return { ...withEars(name, ears, async (text) => client.sayTo(GROUP, text)), hearsOwn: true }
}

/** At the page, with the group in view. */
export function atPage(person: Person): Member {
  return {
    name: person.name,
    hearsOwn: true,
    say: (text) => person.say(text),
    until: async (...texts) => {
      for (const text of texts) await person.sees(text)
    },
    heard: () => person.texts(),
  }
}

/** At the command: a process for each message. After exit code 3 it is sent again, and stored once by its id. */
export const commandSays = (t: ExecutionContext, shell: Shell, name: string) => async (text: string) => {
  const words = ['send', '--group', GROUP, '--context', name, '--id', `${name} ${text}`, text]
  let ran = await shell.run(words)
  while (ran.code === 3) ran = await shell.run(words)
  t.is(ran.code, 0, ran.stderr)
}

/** At the command, with a process that listens to everything. */
export function atCommand(t: ExecutionContext, shell: Shell, name: string) {
  const [ears, privately] = [new Ears(), new Ears()]
  const listening = shell.start(['listen', '-o', 'ndjson', '--context', name])
  createInterface({ input: listening.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const { group, text } = JSON.parse(line)
    if (group === GROUP) ears.hear(text)
    else privately.hear(text)
  })
  return { ...withEars(name, ears, commandSays(t, shell, name)), privately }
}

/** A bot in this process. It says what another member asks for. */
export async function atBot(
  t: ExecutionContext,
  name: string,
  login: { server: string; key: string },
  asks: Member['say'],
) {
  const ears = new Ears()
  const bot = createBot({ name, groups: [GROUP] })
    .use(({ text, group }, next) => {
      if (group === GROUP) ears.hear(text)
      return next()
    })
    .command('echo', { about: 'Says it', args: { text: z.string() } }, (ctx, { text }) => ctx.reply(text))
    .message(() => {})
  const running = await bot.start({ ...login, user: name, log: quiet })
  t.teardown(() => running.stop({ grace: 0 }))
  return withEars(name, ears, (text) => asks(`/echo "${text}"`))
}

export interface Access {
  readonly url: string
  readonly token: string
}

/** Makes a request of the API; again while its node is gone, as programs do: the key makes that one request. */
export async function callApi(t: ExecutionContext, { url, token }: Access, path: string, body: object, key: string) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Idempotency-Key': key }
  for (;;)
    try {
      const answer = await ask(url, path, { method: 'POST', headers, body: JSON.stringify(body) })
      if (answer.status === 503) continue
      t.true(answer.status < 300, answer.text)
      return
    } catch (error) {
      if (!isCut(error)) throw error
    }
}

const isCut = (error: unknown) => ['ECONNRESET', 'ECONNREFUSED'].includes((error as { code?: string }).code ?? '')

/** A program that speaks HTTP. It opens its event stream again when that ends. */
export async function atGateway(t: ExecutionContext, name: string, access: Access) {
  const [ears, privately] = [new Ears(), new Ears()]
  let isOver = false
  let last: string | undefined
  const open = async (): Promise<EventReader> => {
    const headers = last === undefined ? {} : { 'Last-Event-ID': last }
    for (;;)
      try {
        const opened = await EventReader.open(access.url, `/v1/events?consumer=${name}`, { ...access, headers })
        if (opened.status === 200) return opened
      } catch (error) {
        if (!isCut(error)) throw error
      }
  }
  const take = ({ id, event, data }: ReceivedEvent) => {
    if (id === undefined || event !== 'message') return
    last = id
    if (data.group === GROUP) ears.hear(data.text)
    else privately.hear(data.text)
  }
  let reader = await open()
  t.is((await reader.next())?.event, 'ready')
  const listen = async () => {
    for (; !isOver; reader = await open())
      for (let event = await reader.next(); event !== undefined; event = await reader.next()) take(event)
  }
  const listening = listen().catch((error) => ears.fail(error))
  t.teardown(() => {
    isOver = true
    reader.close()
    return listening
  })
  const send = (where: object, text: string) =>
    callApi(t, access, '/v1/messages', { ...where, text }, encodeURIComponent(text))
  return {
    ...withEars(name, ears, (text) => send({ group: GROUP }, text)),
    privately,
    tell: (to: string, text: string) => send({ to }, text),
  }
}

/** An agent at `/mcp`. It waits for one message after another. */
export async function atAgent(t: ExecutionContext, name: string, { url, token }: Access) {
  const ears = new Ears()
  const client = new AgentClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
  const requestInit = { headers: { Authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit }))
  const call = async (tool: string, args: Record<string, unknown>) => {
    const { content } = (await client.callTool({ name: tool, arguments: args })) as { content: { text: string }[] }
    return JSON.parse(content[0]?.text ?? '{}')
  }
  const next = async (seconds: number) => {
    const { message } = await call('wait', { in: `@${GROUP}`, seconds })
    if (message) ears.hear(message.text)
  }
  // The agent hears from its first call on.
  await next(0)
  let isOver = false
  const listen = async () => {
    while (!isOver) await next(45)
  }
  const listening = listen().catch((error) => ears.fail(error))
  t.teardown(async () => {
    isOver = true
    await client.close()
    await listening
  })
  const tell = (to: string, text: string) => call('send', { to, text, key: encodeURIComponent(text) })
  return { ...withEars(name, ears, (text) => tell(`@${GROUP}`, text)), tell }
}

/** A user whose messages a webhook posts. An event may be posted again, with the same id. */
export function atHook(name: string, receiver: Receiver, say: Member['say']): Member {
  const texts = () => {
    const events = new Map(receiver.received.map(({ headers, data }) => [headers['webhook-id'], data]))
    return [...events.values()].filter(({ group }) => group === GROUP).map(({ text }) => text)
  }
  const until = async (...wanted: readonly string[]) => {
    while (!wanted.every((text) => texts().includes(text))) await receiver.arrived(receiver.received.length + 1)
  }
  return { name, say, until, heard: async () => texts() }
}
