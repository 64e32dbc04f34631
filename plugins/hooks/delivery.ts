import { Refused, toLine, type User } from '../../core/index.ts'
import { isUnavailable, MSG_TYPE } from '../../db/index.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import type { Deliverable, WireMessage } from '../messages/deliverable.ts'
import { SendMessage } from '../messages/messages.ts'
import type { Parts } from './parts.ts'
import { type Answer, post } from './post.ts'
import { type Secrets, signedHeaders } from './signature.ts'

/** Bytes of a stored reason. */
export const REASON_BYTES = 255
const MAX_HOPS = 255
const GONE = 410

/** Kinds of events, by the kind of message. */
export const KINDS = { private: MSG_TYPE.chat, group: MSG_TYPE.group, system: MSG_TYPE.system } as const
export type Kind = keyof typeof KINDS

const kindOf = (message: WireMessage): Kind | undefined =>
  (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind] === message.kind)

/** What an attempt needs to know of a hook. */
export interface Target {
  readonly id: number
  readonly userId: number
  readonly url: string
  readonly secrets: Secrets
  readonly isReply: boolean
}

/** `failed` counts as an attempt, `postponed` does not: this server could not make one. */
export type Outcome =
  | { readonly kind: 'delivered' | 'dropped' | 'gone' | 'ownerless' }
  | { readonly kind: 'failed' | 'postponed'; readonly reason: string }

/** Delivers one event. It is read now: since it was queued it may have been edited or recalled. Never rejects. */
export async function deliver(parts: Parts, target: Target, id: number): Promise<Outcome> {
  try {
    const owner = (await parts.accounts.byIds([target.userId])).get(target.userId)
    if (!owner?.active) return { kind: 'ownerless' }
    const [event] = await readEvents(parts, target.userId, [id])
    if (event === undefined) return { kind: 'dropped' }
    const answer = await send(parts, target, event.message)
    if (answer instanceof Error) return { kind: 'failed', reason: reasonOf(answer) }
    if (answer.status === GONE) return { kind: 'gone' }
    if (answer.status < 200 || answer.status > 299) return { kind: 'failed', reason: `answered ${answer.status}` }
    if (target.isReply) await reply(parts, target, owner, event.message, answer)
    return { kind: 'delivered' }
  } catch (error) {
    // Of the database: what the receiver has done is in `answer`.
    const isTransient = isUnavailable(error) || isTransientRefusal(error)
    parts.log.warn({ err: error, hook: target.id, event: id }, 'a hook cannot deliver an event now')
    return { kind: isTransient ? 'postponed' : 'failed', reason: reasonOf(error) }
  }
}

/** Messages of a user, by their ids, that the user may still read. */
export async function readEvents({ conversations }: Parts, userId: number, only: readonly number[]) {
  const query = { after: 0, limit: only.length, unreadOnly: false, withoutOwn: true, only }
  return only.length === 0 ? [] : (await conversations.read(userId, query)).found
}

const reasonOf = (error: unknown) => toLine((error as Error).message, REASON_BYTES)

/** The answer, or why there is none. */
async function send(parts: Parts, { id: hook, url, secrets }: Target, message: WireMessage): Promise<Answer | Error> {
  const body = JSON.stringify(toEvent(message))
  // A new generation of the database gives ids anew: they are other events.
  const id = `msg_${parts.app.epoch}_${hook}_${message.id}`
  try {
    return await post(parts.posting, { url, body, headers: signedHeaders(secrets, id, body, parts.app.clock.time()) })
  } catch (error) {
    return error as Error
  }
}

function toEvent(message: WireMessage) {
  const { id, from, to, group, text, sentAt, editedAt, replyTo, hops, file, fileName, fileSize, fileType } = message
  const attached = file === 0 ? {} : { file: { id: file, name: fileName, size: fileSize, type: fileType } }
  return {
    type: `message.${kindOf(message) ?? 'other'}`,
    timestamp: new Date(sentAt).toISOString(),
    data: { id, from, to, group, text, sentAt, editedAt, replyTo, hops, ...attached },
  }
}

/** Whether a hook that takes some kinds, or only some conversations, takes an event. Empty sets: all. */
export const isWanted = (
  { conversation, message }: Deliverable,
  kinds: ReadonlySet<string>,
  conversations: ReadonlySet<string>,
): boolean =>
  (kinds.size === 0 || kinds.has(kindOf(message) ?? '')) &&
  (conversations.size === 0 || conversations.has(conversation))

/** Sends the text of a JSON answer where the event came from. @throws the error of the database */
async function reply({ app, log, replies }: Parts, hook: Target, owner: User, event: WireMessage, answer: Answer) {
  const text = textOf(answer)
  if (text === undefined || event.kind === MSG_TYPE.system) return
  const { id, name, nickname, role } = owner
  const session = app.onBehalfOf({ id, name, nickname, role })
  // The same client id each time: an event that is delivered again is answered once.
  const message = { text, clientId: `hook-${hook.id}-${event.id}`, hops: Math.min(event.hops + 1, MAX_HOPS) }
  try {
    if (event.group === '') await session.request(SendMessage, { to: event.from, ...message })
    else await session.request(ChatroomMessage, { group: event.group, ...message })
    replies.add()
  } catch (error) {
    if (!(error instanceof Refused) || isTransientRefusal(error)) throw error
    // The event was delivered: another attempt would be answered no better.
    log.info({ hook: hook.id, event: event.id, failure: error.code }, 'the reply of a hook was refused')
  }
}

const isTransientRefusal = (error: unknown) => error instanceof Refused && error.code === 'unavailable'

/** The `text` of a JSON answer; undefined if there is none. */
function textOf({ type, body = '' }: Answer): string | undefined {
  if (!/^application\/json\b/i.test(type)) return undefined
  try {
    const { text } = JSON.parse(body) ?? {}
    return typeof text === 'string' && text !== '' ? text : undefined
  } catch {
    // Not JSON, or cut: no reply. The event was taken all the same.
    return undefined
  }
}
