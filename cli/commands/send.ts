import type { Client, SendOptions, SentMessage, StoredFile, TextStyle } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { notEmpty, ownId, wholeNumber } from '../definition/coerce.ts'
import { defineCommand, type Shared } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import type { Outgoing } from '../files/outgoing.ts'
import type { FileWords } from '../files/send-files.ts'
import { STDIN } from '../input/marks.ts'
import { parseDelay, parseMoment } from '../input/moment.ts'
import { readText } from '../input/stdin.ts'
import type { Output } from '../output/output.ts'

/** A heading of the help. */
const LATER = 'Later'
const FILES = 'Files'

export const send = defineCommand({
  command: 'send [to] [text]',
  describe: 'Send a message to a user or a group; prints its id once it is stored',
  examples: [
    ['$0 send bob "hello"', 'as the selected login'],
    ['make test 2>&1 | $0 send bob -', 'stdin as one message'],
    ['tail -f app.log | $0 send ops - --lines', 'a message a line'],
    ['$0 send --group ops "build broke"', 'to a group'],
    [
      'llm "why?" | $0 send bob --stream',
      'one message, which grows for those who watch (`listen --streams`, the page)',
    ],
    ['$0 send bob --file plan.pdf "as promised"', 'a file, with its text; repeat --file for more'],
    ['make 2>&1 | $0 send bob --file - --name build.log', 'stdin as a file'],
    ['$0 send bob "at ten" --reply-to 120', 'an answer to that message'],
    ['$0 send bob "stand-up" --at 09:30', 'the next time it is 09:30; sent by the server, also when you are offline'],
    ['$0 send bob "still there?" --delay 10m', 'see `chatctl scheduled`'],
    ['$0 send --as alice bob "from the operator"', 'on the server’s machine, without a password'],
  ],
  builder: (args) =>
    args
      .positional('to', { type: 'string', describe: 'name of the recipient; left out with --group' })
      .positional('text', { type: 'string', describe: 'the text; - reads stdin' })
      .options({
        ...WHO,
        group: { type: 'string', describe: 'send to this group', coerce: notEmpty('group') },
        lines: { type: 'boolean', describe: 'each line of stdin is a message; empty ones are skipped' },
        stream: { type: 'boolean', describe: 'stdin as one message, shown while it is written to those who watch' },
        file: {
          type: 'string',
          nargs: 1,
          array: false,
          describe:
            'a file to send, - for stdin; may be repeated: a message each. Interrupted, it goes on when run again',
          group: FILES,
        },
        name: { type: 'string', describe: 'name of the file', group: FILES, coerce: notEmpty('name') },
        'keep-metadata': {
          type: 'boolean',
          describe: 'pictures keep their metadata, such as the place where they were taken',
          group: FILES,
        },
        id: {
          type: 'string',
          describe: 'your own id of the message: sent again with it, it is stored once',
          coerce: ownId('id'),
        },
        'reply-to': {
          type: 'string',
          describe: 'id of the message of this conversation that it answers',
          coerce: wholeNumber('reply-to', 1, Number.MAX_SAFE_INTEGER),
        },
        delay: {
          type: 'string',
          describe: 'send it after this time, such as 90s, 10m, 2h or 7d',
          group: LATER,
          coerce: notEmpty('delay'),
        },
        at: {
          type: 'string',
          describe:
            'send it at this time: 2026-12-24T18:00 (local), 2026-12-24T18:00Z (or +01:00), or 18:00, the next one',
          group: LATER,
          coerce: notEmpty('at'),
        },
        font: { type: 'string', describe: 'font family of the text' },
        'font-size': { type: 'string', describe: 'in points', coerce: wholeNumber('font-size', 1, 255) },
        'text-color': { type: 'string', describe: 'colour of the text, #rrggbb or a name' },
      }),
  async run({ to: first, text: second, group, lines, stream, id, replyTo, delay, at, ...more }, shared) {
    if (group !== undefined && second !== undefined)
      throw new CliError('usage', 'with --group there is no recipient', '`chatctl send --group GROUP TEXT`')
    if (group === undefined && first === undefined)
      throw new CliError('usage', 'no recipient', '`chatctl send NAME TEXT`, or `chatctl send --group GROUP TEXT`')
    const to: Recipient = group === undefined ? (first ?? '') : { group }
    const text = group === undefined ? second : first
    const { output } = shared
    const files = await filesOf(more)
    const fromStdin = text === STDIN || (text === undefined && files.length === 0)
    if (files.length > 0) checkWithFiles(files, { fromStdin, lines: lines ?? stream, id })
    if (lines && !fromStdin) throw new CliError('usage', '--lines reads stdin: give - instead of a text')
    if (lines && id !== undefined) throw new CliError('usage', '--id names one message, --lines sends many')
    const when = toTime(delay, at)
    if (stream && (!fromStdin || lines || when !== undefined))
      throw new CliError(
        'usage',
        '--stream reads one message from stdin, and sends it now: without text, --lines, --at and --delay',
      )
    if (lines && replyTo !== undefined)
      throw new CliError('usage', '--reply-to goes with one message, --lines sends many')
    if (lines && when !== undefined) throw new CliError('usage', '--lines sends at once: not with --delay or --at')
    if (text === undefined && fromStdin && process.stdin.isTTY)
      throw new CliError('usage', 'no text', 'give it after the name, or - to read stdin')
    const style = styleOf(more)
    if (lines) {
      const { sendLines } = await import('../client/send-lines.ts')
      const each = { to, style, print: (sent: SentMessage) => print(output, to, sent) }
      return asUser(shared, (client) => sendLines(client, shared, each), { reconnect: true })
    }
    const options = { style, ...(id !== undefined && { clientId: id }), ...(replyTo !== undefined && { replyTo }) }
    if (stream) return asUser(shared, (client) => sendStream(client, shared, { to, options }), { reconnect: true })
    const body = fromStdin ? await readText() : (text ?? '')
    if (body === '' && files.length === 0) throw noText()
    const sendOne = (client: Client, text: string, file?: StoredFile) => {
      const message = { to, text, options, file }
      return when === undefined ? sendNow(client, output, message) : sendLater(client, output, { ...message, when })
    }
    if (files.length === 0) return asUser(shared, (client) => sendOne(client, body))
    const { sendFiles } = await import('../files/send-files.ts')
    const each = (client: Client) => ({ files, text: body, send: sendOne.bind(undefined, client) })
    await asUser(shared, (client) => sendFiles(client, shared, each(client)), { reconnect: true })
  },
})

/** Files of the command line, whose code is loaded only for them. @throws CliError `usage` */
async function filesOf({ file, name, keepMetadata }: FileWords): Promise<Outgoing[]> {
  if (file === undefined && name === undefined && keepMetadata === undefined) return []
  const { outgoingOf } = await import('../files/send-files.ts')
  return outgoingOf({ file, name, keepMetadata })
}

interface BesideFiles {
  readonly fromStdin: boolean
  readonly lines: boolean | undefined
  readonly id: string | undefined
}

/** @throws CliError `usage` for what does not go with files */
function checkWithFiles(files: readonly Outgoing[], { fromStdin, lines, id }: BesideFiles) {
  if (lines) throw new CliError('usage', '--lines and --stream send texts: not with --file')
  if (id !== undefined && files.length > 1) throw new CliError('usage', '--id names one message, each file is one')
  if (fromStdin && files.some(({ path }) => path === STDIN))
    throw new CliError('usage', 'stdin is the text or the file, not both')
}

interface StyleWords {
  readonly font: string | undefined
  readonly fontSize: number | undefined
  readonly textColor: string | undefined
}

const styleOf = ({ font, fontSize, textColor }: StyleWords): TextStyle => ({
  ...(font && { font }),
  ...(fontSize && { fontSize }),
  ...(textColor && { color: textColor }),
})

type Recipient = Parameters<Client['send']>[0]

const print = (output: Output, to: Recipient, { id, sentAt, repeat }: SentMessage, file?: StoredFile) =>
  output.item(
    { id, ...(typeof to === 'string' ? { to, group: undefined } : { to: undefined, ...to }), sentAt, repeat, file },
    [
      { title: 'sent', value: (message) => message.id },
      { title: 'to', value: (message) => message.to ?? message.group },
      ...(file === undefined ? [] : [{ title: 'file', value: () => `${file.id} ${file.name}` }]),
    ],
    { title: 'id', value: (message) => message.id },
  )

/** Time of sending as the server takes it; undefined: at once. */
function toTime(delay: string | undefined, at: string | undefined): { at: number } | { delay: number } | undefined {
  if (delay !== undefined && at !== undefined) throw new CliError('usage', '--delay or --at, not both')
  // A delay counts on the server's clock: the local one may be wrong.
  if (delay !== undefined) return { delay: parseDelay(delay) }
  return at === undefined ? undefined : { at: parseMoment(at).getTime() }
}

const noText = () => new CliError('usage', 'the text is empty', '`chatctl send NAME TEXT`; - reads the text from stdin')

/** Sends stdin while it comes. @throws CliError `usage` for no text, and of the input */
async function sendStream(
  client: Client,
  { output, signal }: Shared,
  { to, options }: { readonly to: Recipient; readonly options: SendOptions },
) {
  const { readPieces } = await import('../input/stdin.ts')
  const sent = await client.stream(to, readPieces(signal), { ...options, signal })
  if (sent === undefined) throw noText()
  await print(output, to, sent)
}

interface Sending {
  readonly to: Recipient
  readonly text: string
  readonly options: { readonly style: TextStyle; readonly clientId?: string; readonly replyTo?: number }
  readonly file: StoredFile | undefined
}

async function sendNow(client: Client, output: Output, { to, text, options, file }: Sending) {
  const sent = await client.send(to, text, { ...options, ...(file && { file: file.id }) })
  await print(output, to, sent, file)
}

interface Later extends Sending {
  readonly when: { at: number } | { delay: number }
}

async function sendLater(client: Client, output: Output, { to, text, when, options, file }: Later) {
  const { ScheduleMessage } = await import('../../plugins/schedule/messages.ts')
  const { style, ...rest } = options
  const target = typeof to === 'string' ? { to } : to
  const values = { text, ...target, ...when, ...style, ...rest, ...(file && { file: file.id }) }
  const { id, at, repeat } = await client.request(ScheduleMessage, values)
  await output.item(
    { scheduled: id, ...target, at: new Date(at), repeat, file },
    [
      { title: 'scheduled', value: (message) => message.scheduled },
      { title: 'at', value: (message) => message.at },
    ],
    { title: 'scheduled', value: (message) => message.scheduled },
  )
}
