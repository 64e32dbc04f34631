import { kindNumber } from '../../client/chat-message.ts'
import type { ChatMessage, Client } from '../../client/index.ts'
import { CliError } from '../errors/exit.ts'
import { refusalOf } from '../errors/refusal.ts'
import type { Output } from '../output/output.ts'

/** Filter of a command that waits for messages; all messages if empty. */
export interface Wanted {
  /** Private messages of this user, or, with `group`, this member's messages there. */
  readonly from?: string | undefined
  readonly group?: string | undefined
}

/** Names of accounts are in lower case, but for those of adopted databases. */
export const isNamed = (name: string, asked: string) => name === asked || name === asked.toLowerCase()

export function isWanted({ from, group }: Wanted, message: ChatMessage): boolean {
  if (from !== undefined && !isNamed(message.from, from)) return false
  return group === undefined ? from === undefined || message.group === undefined : message.group === group
}

/** Reports a lost and a restored connection on stderr: a command that waits would seem to hang. */
export function noteConnection(client: Client, output: Output) {
  client.onLife('disconnected', ({ message }) => output.note(`connection lost: ${message}; reconnecting`))
  client.onLife('reconnected', () => output.note('connected again'))
}

/**
 * Acknowledges a message. A refusal (its group or its sender is gone) is reported: the message stays unread, and the
 * command goes on.
 */
export async function acknowledge(client: Client, message: ChatMessage, output: Output, signal?: AbortSignal) {
  try {
    await client.acknowledge(message, { ...(signal && { signal }) })
  } catch (error) {
    // The command is about to end: it stays unread.
    if ((error as { code?: string }).code === 'aborted' && signal?.aborted) return
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    const where = message.group === undefined ? message.from : `${message.from} in ${message.group}`
    output.note(`message ${message.id} of ${where} could not be marked as read: ${refusal.message}`)
  }
}

/**
 * Checks before a wait that the group exists and the user is a member: otherwise nothing could end the wait.
 * @throws CliError, RefusedByServer `group_not_exist`, `not_member`
 */
export async function checkGroup(client: Client, { from, group }: Wanted) {
  if (group === undefined) return
  const { QueryRoomUsers } = await import('../../plugins/groups/messages.ts')
  const { members } = await client.request(QueryRoomUsers, { group })
  if (from !== undefined && !members.some(({ user }) => isNamed(user, from)))
    throw new CliError(
      'refused',
      `${from} is not a member of ${group}`,
      `\`chatctl groups members ${group}\` lists members`,
    )
}

/**
 * Unread messages that pass the filter, then new ones; acknowledges none. The server pushes a limited number of
 * unacknowledged messages, so the subscription is renewed behind the last one before the window is full.
 * @param after only messages with a higher id
 */
export async function* unread(
  client: Client,
  wanted: Wanted,
  { after = 0, signal }: { after?: number; signal: AbortSignal },
): AsyncGenerator<ChatMessage> {
  const { from, group } = wanted
  const filter = group !== undefined ? { kind: 'group' as const } : from !== undefined ? { from } : {}
  const window = await halfWindow(client)
  let passed = 0
  let last = after
  // Ids of a restored server start again.
  const off = client.onLife('restored', () => {
    last = 0
  })
  try {
    for await (const message of client.messages({ ...filter, after, acknowledge: false, signal })) {
      last = Math.max(last, message.id)
      if (isWanted(wanted, message)) yield message
      if (++passed % window > 0 || signal.aborted) continue
      const again = { from: filter.from, kind: filter.kind && kindNumber(filter.kind), after: last }
      await client.receive(again, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    off()
  }
}

/** Messages after which the subscription is renewed: half of the server's window. */
async function halfWindow(client: Client): Promise<number> {
  const { QueryProtocol } = await import('../../core/wire/control.ts')
  const { limits } = await client.request(QueryProtocol, {})
  const { unacknowledged = 100 } = JSON.parse(limits) as { unacknowledged?: number }
  return Math.max(1, Math.floor(unacknowledged / 2))
}

/** All messages after an id that pass the filter, read ones too, then new ones; acknowledges none. */
export async function* since(
  client: Client,
  wanted: Wanted,
  { after, signal }: { after: number; signal: AbortSignal },
): AsyncGenerator<ChatMessage> {
  const stop = new AbortController()
  const incoming = unread(client, wanted, { after, signal: AbortSignal.any([signal, stop.signal]) })
  // Subscribes before it reads the inbox: no message is lost between the two.
  const first = incoming.next()
  first.catch(() => {})
  let last = after
  try {
    for (let more = true; more && !signal.aborted; ) {
      const page = await client.inbox({ after: last, all: true })
      for (const message of page.messages) {
        last = message.id
        if (isWanted(wanted, message)) yield message
      }
      more = page.more
    }
    for (let next = await first; !next.done; next = await incoming.next()) if (next.value.id > last) yield next.value
  } finally {
    stop.abort()
    await incoming.return(undefined)
  }
}
