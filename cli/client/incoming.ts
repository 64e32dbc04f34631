import { kindNumber } from '../../client/chat-message.ts'
import type { ChatMessage, Client } from '../../client/index.ts'
import { CliError } from '../errors/exit.ts'
import { refusalOf } from '../errors/refusal.ts'
import type { Output } from '../output/output.ts'

/** Whose messages a command waits for; all of everyone if left out. */
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

/** Says when the connection was lost and when it is back: a command that waits would only seem to hang. */
export function noteLife(client: Client, output: Output) {
  client.onLife('disconnected', ({ message }) => output.note(`connection lost: ${message}; trying to come back`))
  client.onLife('reconnected', () => output.note('connected again'))
}

/**
 * Acknowledges a message. One that cannot be, because its group or its sender is gone, is told of: it stays unread, and
 * the command goes on with the others.
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
 * Before a wait that could not end otherwise: is there such a group, and is that user in it?
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
 * Wanted messages that are unread, then new ones, without acknowledging any. A server stops when so many are out
 * unacknowledged; asked again from the last one on, it starts over, so that any number can be passed over.
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
  // Numbers begin anew: none was passed over yet.
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

/** Messages after which to ask again, before the server runs out of what it may push. */
async function halfWindow(client: Client): Promise<number> {
  const { QueryProtocol } = await import('../../core/wire/control.ts')
  const { limits } = await client.request(QueryProtocol, {})
  const { unacknowledged = 100 } = JSON.parse(limits) as { unacknowledged?: number }
  return Math.max(1, Math.floor(unacknowledged / 2))
}

/** The same, but read ones too: whatever came after that id, whichever session of the user has read it since. */
export async function* since(
  client: Client,
  wanted: Wanted,
  { after, signal }: { after: number; signal: AbortSignal },
): AsyncGenerator<ChatMessage> {
  const stop = new AbortController()
  const incoming = unread(client, wanted, { after, signal: AbortSignal.any([signal, stop.signal]) })
  // Receives from now on, so that nothing falls between what the inbox holds and what comes.
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
