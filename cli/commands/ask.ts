import type { ChatMessage, Client, SentMessage } from '../../client/index.ts'
import { acknowledge, checkGroup, isNamed, noteConnection, since, type Wanted } from '../client/incoming.ts'
import { asUser } from '../client/sessions.ts'
import { StopConditions } from '../client/stop-conditions.ts'
import { notEmpty, ownId } from '../definition/coerce.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import { refusalOf } from '../errors/refusal.ts'
import { parseDuration } from '../input/duration.ts'
import { STDIN } from '../input/marks.ts'
import { readText } from '../input/stdin.ts'

/** Most pages of unread messages that are searched; beyond them the answer stays unread. */
const MAX_PAGES = 20

export const ask = defineCommand({
  command: 'ask [to] [question]',
  describe: 'Send a question and wait for the answer; prints it, or exits with 6',
  examples: [
    ['$0 ask bob "Which version?" --timeout 10m', 'prints what Bob writes next'],
    ['$0 ask bob "Deploy?" --options yes,no --timeout 10m', 'another answer gets the options as reply'],
    ['$0 ask --group ops "Deploy?" --options yes,no', 'the first member who answers; --from bob: only Bob'],
    ['$0 ask bob "Deploy 7?" --options yes,no --id deploy-7', 'run again, it does not ask again'],
    ['[ "$($0 ask bob "Deploy?" --options yes,no --timeout 10m)" = yes ] && ./deploy', 'in a script'],
  ],
  ownTimeout: true,
  builder: (args) =>
    args
      .positional('to', { type: 'string', describe: 'name of the recipient; left out with --group' })
      .positional('question', { type: 'string', describe: 'the question; - reads stdin' })
      .options({
        ...WHO,
        group: { type: 'string', describe: 'ask this group: any member may answer', coerce: notEmpty('group') },
        from: { type: 'string', describe: 'with --group: only this member may answer', coerce: notEmpty('from') },
        options: { type: 'string', describe: 'the answers there are, commas between; case and blanks do not matter' },
        timeout: {
          type: 'string',
          describe: 'how long to wait for the answer, such as 10m; until Ctrl-C if left out. Each request has 10s',
        },
        id: {
          type: 'string',
          describe: 'your own id of the question: run again with it, an answer that came meanwhile is taken',
          coerce: ownId('id'),
        },
      }),
  async run({ to: first, question: second, group, from, options, timeout, id }, shared): Promise<ExitName> {
    if (group !== undefined && second !== undefined)
      throw new CliError('usage', 'with --group there is no recipient', '`chatctl ask --group GROUP QUESTION`')
    if (group === undefined && first === undefined)
      throw new CliError(
        'usage',
        'no recipient',
        '`chatctl ask NAME QUESTION`, or `chatctl ask --group GROUP QUESTION`',
      )
    if (group === undefined && from !== undefined) throw new CliError('usage', '--from goes with --group')
    const given = group === undefined ? second : first
    if (given === undefined) throw new CliError('usage', 'no question', 'give it after the name, or - to read stdin')
    const choices = options === undefined ? undefined : toChoices(options)
    const wait = timeout === undefined ? undefined : parseDuration(timeout)
    const text = given === STDIN ? await readText() : given
    if (text === '') throw new CliError('usage', 'the question is empty')
    const question = {
      to: group === undefined ? (first ?? '') : { group },
      text: choices === undefined ? text : `${text} [${choices.join('/')}]`,
      id,
      choices,
      answerer: group === undefined ? { from: first } : { group, from },
    }
    const within = { text: timeout, ms: wait }
    return asUser(shared, (client, self) => askAndWait(client, shared, { ...question, self }, within), {
      reconnect: true,
    })
  },
})

interface Question {
  readonly to: Parameters<Client['send']>[0]
  readonly text: string
  readonly id: string | undefined
  /** Undefined: any text is an answer. */
  readonly choices: readonly string[] | undefined
  readonly answerer: Wanted
  /** Name of the asking user. */
  readonly self: string
}

async function askAndWait(
  client: Client,
  shared: Shared,
  { to, text, id, choices, answerer, self }: Question,
  timeout: { readonly text: string | undefined; readonly ms: number | undefined },
): Promise<ExitName> {
  await checkGroup(client, answerer)
  noteConnection(client, shared.output)
  const asked = await client.send(to, text, { ...(id !== undefined && { clientId: id }) })
  const watch = new StopConditions({ count: 1, for: timeout.ms }, shared.signal)
  /** Ids of the question, of answers that were refused, and of the replies to them. */
  const settled = new Set<number>()
  const corrected = new Set<string>()
  try {
    for await (const message of since(client, answerer, { after: asked.id, signal: watch.signal })) {
      if (settled.has(message.id) || message.kind === 'system') continue
      // Said in the group from another session. A note to oneself may be an answer.
      if (message.group !== undefined && isNamed(message.from, self)) continue
      const answer = choices === undefined ? message.text : choices.find((choice) => isSame(choice, message.text))
      if (answer !== undefined) {
        const { id, from: by, sentAt: at } = message
        await shared.output.text({ answer, by, id, askedId: asked.id, at }, answer)
        if (message.unread && (await isOldest(client, message, settled)))
          await acknowledge(client, message, shared.output, watch.signal)
        return 'ok'
      }
      // Once a member: in a group, other messages are not answers.
      if (typeof to !== 'string' && corrected.has(message.from)) continue
      corrected.add(message.from)
      settled.add(message.id)
      const hint = await tellChoices(client, shared, to, { asked, message, choices: choices ?? [] })
      if (hint !== undefined) settled.add(hint.id)
    }
    if (watch.exit() === 'timed_out') throw new CliError('timed_out', `no answer within ${timeout.text}`)
    return watch.exit()
  } finally {
    watch.end()
  }
}

/** Once for each message, also when the command is run again. */
async function tellChoices(
  client: Client,
  { output }: Shared,
  to: Question['to'],
  { asked, message, choices }: { asked: SentMessage; message: ChatMessage; choices: readonly string[] },
): Promise<SentMessage | undefined> {
  try {
    return await client.send(to, `Please answer with one of: ${choices.join(', ')}`, {
      clientId: `ask-${asked.id}-${message.id}`,
      hops: Math.min(message.hops + 1, 255),
    })
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    output.note(`the options could not be sent to ${message.from}: ${refusal.message}`)
    return undefined
  }
}

/** Whether all unread messages before this one are settled: acknowledging it marks them as read, too. */
async function isOldest(client: Client, message: ChatMessage, settled: ReadonlySet<number>): Promise<boolean> {
  const { from, group } = message
  let after = 0
  for (let page = 0; page < MAX_PAGES; page++) {
    const { messages, more } = await client.inbox({ after, limit: 100 })
    for (const { id, ...other } of messages) {
      if (id >= message.id) return true
      const isSameConversation = other.group === group && (group !== undefined || other.from === from)
      if (isSameConversation && !settled.has(id)) return false
      after = id
    }
    if (!more) return true
  }
  return false
}

const normal = (text: string) => text.trim().toLowerCase()
const isSame = (one: string, other: string) => normal(one) === normal(other)

function toChoices(list: string): string[] {
  const choices = list.split(',').map((choice) => choice.trim())
  if (choices.includes('')) throw new CliError('usage', '--options: an option is empty')
  const repeated = choices.find((choice, index) => choices.findIndex((other) => isSame(other, choice)) < index)
  if (repeated !== undefined) throw new CliError('usage', `--options: "${repeated}" is there twice`)
  return choices
}
