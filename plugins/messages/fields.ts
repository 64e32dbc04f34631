import { line, optional, uint8, uint64 } from '../../core/wire/index.ts'

/** Text style chosen by the sender. */
export const textStyle = {
  font: optional(line('font family; empty: the reader’s own', { max: 64 }), ''),
  fontSize: optional(uint8('in points; 0: the reader’s own'), 0),
  color: optional(line('colour, #rrggbb or a name; empty: the reader’s own', { max: 32 }), ''),
}

/** Reference to an answered message. */
export const replyTo = optional(uint64('id of the message of this conversation that this one answers; 0: none'), 0)

/** Further places of a page of history, beside `before`. */
export const historyRange = {
  after: optional(uint64('only messages with a higher id, beginning with the oldest; not with `before`'), 0),
  around: optional(uint64('messages on both sides of this id, half of the page each; the other two are 0'), 0),
}
