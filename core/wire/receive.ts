import { Buffer } from '#platform/runtime'
import { sizeOf } from './encode.ts'
import type { InputOf, Message, ValuesOf } from './message.ts'
import { type Plan, planOf } from './plan.ts'

type Values = Record<string, unknown>

/**
 * The values that the receiver of a message gets, without encoding and decoding it: checked, with defaults, and with
 * copies of bytes. `bytes`: the length of its format and data on the wire.
 * @throws WireError `value` for a value outside its field's limits
 */
export function receive<M extends Message>(
  message: M,
  input: InputOf<M>,
): { readonly values: ValuesOf<M>; readonly bytes: number } {
  const bytes = sizeOf(message, input)
  return { values: copy(planOf(message), input as Values) as ValuesOf<M>, bytes }
}

function copy({ steps, list }: Plan, input: Values): Values {
  const values: Values = {}
  for (const { name, field } of steps) {
    const value = input[name] ?? field.default
    values[name] = value instanceof Uint8Array ? Buffer.from(value) : value
  }
  if (list !== undefined) values[list.name] = (input[list.name] as Values[]).map((group) => copy(list.plan, group))
  return values
}
