import { type AnyField, type Fields, LETTERS, type Message } from '../../../core/index.ts'

/** Deterministic, non-trivial values for the fields of a message. */
export function sampleValues(fields: Fields, seed = 1): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, field], index) => [name, sample(field, seed + index)]))
}

function sample(field: AnyField, seed: number): unknown {
  if (field.kind === 'list') return [sampleValues(field.fields, seed), sampleValues(field.fields, seed + 7)]
  const length = Math.max(field.min, Math.min(field.max, 5 + (seed % 11)))
  switch (field.kind) {
    case 'bool':
      return seed % 2 === 0
    case 'line':
      return 'é小x😀'.repeat(10).slice(0, 1) + 'a'.repeat(Math.max(0, length - 2))
    case 'text':
      return `${'z'.repeat(length)}\n\t😀 小`.slice(0)
    case 'oneOf':
      return field.values?.[seed % field.values.length]
    case 'bytes':
      return Buffer.alloc(length, seed)
    default:
      return Math.max(field.min, Math.min(field.max, LETTERS[field.kind] === 'Q' ? 2 ** 40 + seed : 3 + seed))
  }
}

/** A generator of reproducible pseudo-random numbers (xorshift32). */
export function seeded(seed: number) {
  let state = seed >>> 0 || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
  return {
    below: (limit: number) => next() % limit,
    pick: <T>(from: readonly T[]): T => from[next() % from.length] as T,
    bytes: (length: number) => Buffer.from(Array.from({ length }, () => next() & 0xff)),
    seed,
  }
}

export const nameOf = (message: Message) => `${message.type} ${message.name}`
