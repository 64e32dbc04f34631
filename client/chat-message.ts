import type { ValuesOf } from '../core/wire/index.ts'
import type { OnNewMessage } from '../plugins/messages/messages.ts'

/** Kinds of messages by their numbers on the wire. */
export const KINDS = { 1: 'chat', 2: 'system', 3: 'friend_request', 4: 'group' } as const

/** Text style chosen by the sender; omitted properties are up to the reader's client. */
export interface TextStyle {
  readonly font?: string
  /** Points. */
  readonly fontSize?: number
  /** `#rrggbb` or a name. */
  readonly color?: string
}

/** A file that a message carries. */
export interface MessageFile {
  /** For `download` and `fileInfo`. */
  readonly id: number
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Media type, found by the server in the bytes. */
  readonly type: string
  /** Pixels of a picture, as shown. */
  readonly width?: number
  readonly height?: number
  /** Base64 of the ThumbHash, a placeholder of the picture. */
  readonly thumbhash?: string
  /** Whether there is a preview to download. */
  readonly preview: boolean
}

/** A message for bots and scripts; `JSON.stringify` gives the documented JSON form, with times in ISO 8601. */
export interface ChatMessage {
  readonly id: number
  readonly kind: Kind | 'unknown'
  readonly from: string
  /** The recipient of a private message. */
  readonly to?: string
  /** The group of a group message. */
  readonly group?: string
  readonly text: string
  readonly sentAt: Date
  /** True until the recipient acknowledges it. */
  readonly unread: boolean
  /** Written by a bot or another program: `hops` is above 0. */
  readonly bot: boolean
  /** Length of the chain of bot replies; 0 for a person. */
  readonly hops: number
  /** Id of the message of the same conversation that this one answers. */
  readonly replyTo?: number
  /** Time of the last edit. */
  readonly editedAt?: Date
  readonly style?: TextStyle
  readonly file?: MessageFile
}

/** Identifies a message to acknowledge or answer. */
export type MessageRef = Pick<ChatMessage, 'from' | 'group' | 'id'>

/** Name of a kind of message. */
export type Kind = (typeof KINDS)[keyof typeof KINDS]

type WireMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

export const kindNumber = (kind: Kind): number => Number(Object.entries(KINDS).find(([, name]) => name === kind)?.[0])

export function toChatMessage({
  id,
  kind,
  from,
  to,
  group,
  text,
  sentAt,
  unread,
  hops,
  replyTo,
  editedAt,
  file,
  fileName,
  fileSize,
  fileType,
  fileWidth,
  fileHeight,
  fileThumbhash,
  filePreview,
  ...style
}: WireMessage): ChatMessage {
  const { font, fontSize, color } = style
  const given: TextStyle = { ...(font && { font }), ...(fontSize && { fontSize }), ...(color && { color }) }
  return {
    id,
    kind: KINDS[kind as keyof typeof KINDS] ?? 'unknown',
    from,
    ...(group ? { group } : { to }),
    text,
    sentAt: new Date(sentAt),
    unread,
    bot: hops > 0,
    hops,
    ...(replyTo > 0 && { replyTo }),
    ...(editedAt > 0 && { editedAt: new Date(editedAt) }),
    ...(Object.keys(given).length > 0 && { style: given }),
    ...(file > 0 && {
      file: {
        ...{ id: file, name: fileName, size: fileSize, type: fileType, preview: filePreview },
        ...(fileWidth > 0 && { width: fileWidth, height: fileHeight }),
        ...(fileThumbhash && { thumbhash: fileThumbhash }),
      },
    }),
  }
}
