import type { ChatMessage } from '../../client/index.ts'
import { acknowledge, checkGroup, noteConnection, unread } from '../client/incoming.ts'
import { type Found, Matcher } from '../client/matcher.ts'
import { asUser } from '../client/sessions.ts'
import { StopConditions } from '../client/stop-conditions.ts'
import { notEmpty, wholeNumber } from '../definition/coerce.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError, type ExitName } from '../errors/exit.ts'
import { parseDuration } from '../input/duration.ts'

export const expect = defineCommand({
  command: 'expect',
  describe: 'Wait for a message that matches, unread ones first; prints its text, or exits with 6',
  examples: [
    ['$0 expect --from bob --match "^(yes|no)$" --timeout 30s', 'prints the text'],
    ['$0 expect --group ops --match "build (\\d+) is green" -o json | jq -r ".match[1]"', 'a part of it'],
    ['$0 expect --from ci --match done --ignore-case --count 3', 'three of them'],
    ['$0 expect --match alarm --no-ack', 'from anyone; it stays unread'],
  ],
  ownTimeout: true,
  builder: (args) =>
    args.options({
      ...WHO,
      from: {
        type: 'string',
        describe: 'private messages of this user; with --group, messages of this member',
        coerce: notEmpty('from'),
      },
      group: { type: 'string', describe: 'messages of this group', coerce: notEmpty('group') },
      match: {
        type: 'string',
        describe: 'regular expression of JavaScript (flag u) to find in the text; any if left out',
        coerce: notEmpty('match'),
      },
      'ignore-case': { type: 'boolean', default: false, describe: 'ignore upper and lower case' },
      count: { type: 'string', describe: 'number of matches; default 1', coerce: wholeNumber('count', 1, 1e9) },
      timeout: {
        type: 'string',
        describe: 'how long to wait in all, such as 30s; until Ctrl-C if left out. Each request has 10s',
      },
      ack: {
        type: 'boolean',
        default: true,
        describe: 'mark a match, and all before it in its conversation, as read; --no-ack leaves all unread',
      },
    }),
  async run({ from, group, match, ignoreCase, count = 1, timeout, ack }, shared): Promise<ExitName> {
    const pattern = match === undefined ? undefined : toPattern(match, ignoreCase)
    const stops = { count, for: timeout === undefined ? undefined : parseDuration(timeout) }
    const matcher = pattern && new Matcher(pattern)
    const watch = new StopConditions(stops, shared.signal)
    const act: Parameters<typeof asUser<void>>[1] = async (client) => {
      await checkGroup(client, { from, group })
      noteConnection(client, shared.output)
      for await (const message of unread(client, { from, group }, { signal: watch.signal })) {
        const found = await matcher?.find(message.text, watch.signal)
        if (watch.signal.aborted) break
        if (found === null) continue
        await shared.output.text(toRecord(message, found), message.text)
        // After printing: a closed pipe leaves it unread.
        if (ack) await acknowledge(client, message, shared.output, watch.signal)
        watch.counted()
      }
    }
    try {
      await asUser(shared, act, { reconnect: true })
      if (watch.exit() === 'timed_out') throw new CliError('timed_out', `no such message within ${timeout}`)
      return watch.exit()
    } finally {
      watch.end()
      await matcher?.close()
    }
  },
})

/** The message with its match: the whole match, its groups, and its named groups. */
const toRecord = (message: ChatMessage, found: Found | undefined) => ({
  ...message,
  ...found,
})

/** @throws CliError with the reason and the position of the error */
function toPattern(source: string, ignoreCase: boolean): RegExp {
  const compile = (part: string) => new RegExp(part, ignoreCase ? 'iu' : 'u')
  try {
    return compile(source)
  } catch (error) {
    // V8 gives no position: it is the end of the longest valid prefix.
    let valid = source.length - 1
    while (valid > 0 && !compiles(() => compile(source.slice(0, valid)))) valid--
    const why = (error as Error).message.split(': ').at(-1)
    throw new CliError('usage', `--match: ${why}, at character ${valid + 1} of "${source}"`)
  }
}

function compiles(compile: () => RegExp): boolean {
  try {
    compile()
    return true
  } catch {
    return false
  }
}
