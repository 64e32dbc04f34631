import { bool, line, optional, uint8, uint32, uint64 } from '../../core/wire/index.ts'

/** Text style chosen by the sender. */
export const textStyle = {
  font: optional(line('font family; empty: the reader’s own', { max: 64 }), ''),
  fontSize: optional(uint8('in points; 0: the reader’s own'), 0),
  color: optional(line('colour, #rrggbb or a name; empty: the reader’s own', { max: 32 }), ''),
}

/** Reference to an answered message. */
export const replyTo = optional(uint64('id of the message of this conversation that this one answers; 0: none'), 0)

/** File of a message to be sent. */
export const attachedFile = optional(
  uint64(
    'id of a file that this user may read, see begin_upload; with an empty text the text is `name (size)`; 0: none',
  ),
  0,
)

/** What a message tells about its file. */
export const fileFacts = {
  file: optional(uint64('id of the file, for read_file; 0: none'), 0),
  fileName: optional(line('name of the file', { max: 255 }), ''),
  fileSize: optional(uint64('bytes of the file'), 0),
  fileType: optional(line('media type of the file, found in its bytes', { max: 127 }), ''),
  fileWidth: optional(uint32('pixels, as shown; 0: no picture that may be shown'), 0),
  fileHeight: optional(uint32('pixels, as shown; 0: no picture that may be shown'), 0),
  fileThumbhash: optional(line('base64 of the ThumbHash, a placeholder of the picture; empty: none', { max: 64 }), ''),
  filePreview: optional(bool('true: read_file has a preview'), false),
}

/** Further places of a page of history, beside `before`. */
export const historyRange = {
  after: optional(uint64('only messages with a higher id, beginning with the oldest; not with `before`'), 0),
  around: optional(uint64('messages on both sides of this id, half of the page each; the other two are 0'), 0),
}
