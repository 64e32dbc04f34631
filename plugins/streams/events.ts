import { defineEvent, type User } from '../../core/index.ts'

/** Where a stream is open. Numbers of streams are those of one node. */
export interface StreamKey {
  readonly node: number
  readonly id: number
}

/** Everything that a node needs to show a stream of another one. */
export interface StreamUpdate extends StreamKey {
  /** Updates of a stream are numbered: a gap tells that one was lost. */
  readonly number: number
  readonly user: User
  /** Name of the recipient; empty in a group. */
  readonly to: string
  readonly group: string
  readonly hops: number
  readonly replyTo: number
  /** Offset of `text`, which replaces everything from there on. */
  readonly at: number
  readonly text: string
}

/** The text of a stream has grown or changed, or the stream is still open. */
export const StreamUpdated = defineEvent<StreamUpdate>('streams.updated', { scope: 'cluster' })

/** A stream has ended. `messageId`: of the message that it has become; 0: there is none. */
export const StreamEnded = defineEvent<StreamKey & { readonly messageId: number }>('streams.ended', {
  scope: 'cluster',
})

/** A node lacks the beginning of a stream. */
export const StreamWanted = defineEvent<StreamKey>('streams.wanted', { scope: 'cluster' })

/** A user has opened a stream; one with this client id on another node was opened by the same program before. */
export const StreamMoved = defineEvent<{
  readonly node: number
  readonly userId: number
  /** Of the conversation, see Target. */
  readonly key: string
  readonly clientId: string
}>('streams.moved', { scope: 'cluster' })
