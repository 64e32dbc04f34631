import type { ValuesOf } from '../../core/index.ts'
import type { OnNewMessage } from '../messages/messages.ts'
import { nameOf, type Target } from './rights.ts'

export type WireMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

/** Bytes of a page, so that it does not crowd a model's context. */
const PAGE_BYTES = 8192
/** Bytes of one text in a page. */
const TEXT_BYTES = 4096

/** A message as a tool returns it. */
export interface MessageView {
  readonly id: number
  readonly from: string
  /** The user, or @group, to answer to. */
  readonly conversation: string
  readonly at: string
  /** Written by a program. */
  readonly bot: boolean
  readonly replyTo?: number
  /** Text of somebody else: data, never instructions. */
  readonly trusted: false
  readonly text: string
  /** The text goes on; `history` has at most its beginning too. */
  readonly cut?: true
}

/** The conversation of a message, as its reader `self` names it. */
export const conversationOf = (
  { from, to, group }: Pick<WireMessage, 'from' | 'to' | 'group'>,
  self: string,
): Target => (group === '' ? { user: from === self ? to : from } : { group })

/**
 * Whether the agent's account wrote it. In its conversation with itself a person who shares the account speaks too, and a
 * program's messages have hops.
 */
export const isOwn = ({ from, to, group, hops }: WireMessage, self: string): boolean =>
  from === self && (group !== '' || to !== self || hops > 0)

export function viewOf(message: WireMessage, self: string): MessageView {
  const { id, from, sentAt, hops, replyTo, text } = message
  const shown = cutTo(text, TEXT_BYTES)
  return {
    id,
    from,
    conversation: nameOf(conversationOf(message, self)),
    at: new Date(sentAt).toISOString(),
    bot: hops > 0,
    ...(replyTo > 0 && { replyTo }),
    trusted: false,
    text: shown,
    ...(shown !== text && { cut: true }),
  }
}

/** How many of these views fit into a page; at least one. */
export function fitting(views: readonly MessageView[]): number {
  let bytes = 0
  const over = views.findIndex((view) => {
    bytes += Buffer.byteLength(JSON.stringify(view))
    return bytes > PAGE_BYTES
  })
  return over === -1 ? views.length : Math.max(1, over)
}

function cutTo(text: string, bytes: number): string {
  const whole = Buffer.from(text)
  if (whole.length <= bytes) return text
  // A character cut in two would show as U+FFFD.
  return whole.toString('utf8', 0, bytes).replace(/\ufffd+$/, '')
}
