import { Refused } from '../errors.ts'
import { type ClientMessage, encode, type Frame, type InputOf, MessageSplitter, WireError } from '../wire/index.ts'

const NO_LIMITS = { message: Number.MAX_SAFE_INTEGER, format: Number.MAX_SAFE_INTEGER, values: Number.MAX_SAFE_INTEGER }

/**
 * A request that did not come from the network, as if it had: all checks of its receiver apply to it.
 * @throws Refused `invalid_value` for values that the message cannot carry, as its receiver would
 */
export function frameOf<M extends ClientMessage>(message: M, ref: number, values: InputOf<M>): Frame {
  try {
    const [frame] = new MessageSplitter(NO_LIMITS).push(encode(message, ref, values))
    return frame as Frame
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw new Refused('invalid_value', `${message.name}: ${error.message}`)
  }
}
