import type { AnyField, Fields, ScalarKind } from './field.ts'
import { type Allow, clientMessage, type Message, type ServerMessage, serverMessage } from './message.ts'

/** The message types that one side knows, by number and by name. @throws TypeError for a duplicate number or name */
export class Catalogue {
  readonly #byType = new Map<number, Message>()
  readonly #byName = new Map<string, Message>()

  constructor(messages: Iterable<Message> = []) {
    for (const message of messages) this.add(message)
  }

  /** Adding the same definition again has no effect. @param owner plugin that defines it, for the error */
  add(message: Message, owner = 'this') {
    const clash = this.#byType.get(message.type) ?? this.#byName.get(message.name)
    if (clash === message) return
    if (clash !== undefined)
      throw new TypeError(
        `${owner} defines message ${message.type} ${message.name}, but ${clash.type} ${clash.name} is already defined`,
      )
    this.#byType.set(message.type, message)
    this.#byName.set(message.name, message)
  }

  byType(type: number): Message | undefined {
    return this.#byType.get(type)
  }

  byName(name: string): Message | undefined {
    return this.#byName.get(name)
  }

  /** In the order of their numbers. */
  [Symbol.iterator](): Iterator<Message> {
    return [...this.#byType.values()].sort((a, b) => a.type - b.type)[Symbol.iterator]()
  }
}

interface FieldEntry {
  readonly name: string
  readonly kind: Exclude<ScalarKind, 'oneOf'> | 'list'
  readonly about: string
  readonly min?: number
  readonly max: number
  readonly default?: unknown
  /**
   * Of a `oneOf` field, which travels as a `line` with the values that it may have: a client that does not know the kind
   * reads a line.
   */
  readonly values?: readonly string[]
  readonly fields?: readonly FieldEntry[]
}

/** JSON form of a definition, as in `chatctl protocol -o json` and the message `protocol`. */
export interface MessageEntry {
  readonly type: number
  readonly name: string
  readonly from: 'client' | 'server'
  readonly about: string
  readonly allow?: Allow
  readonly reply?: string
  readonly fields: readonly FieldEntry[]
}

function fieldEntries(fields: Fields): FieldEntry[] {
  return Object.entries(fields).map(([name, field]) =>
    field.kind === 'list'
      ? { name, kind: field.kind, about: field.about, max: field.max, fields: fieldEntries(field.fields) }
      : { name, ...field, kind: field.kind === 'oneOf' ? 'line' : field.kind },
  )
}

export function toEntry(message: Message): MessageEntry {
  const { type, name, from, about } = message
  const fields = fieldEntries(message.fields)
  if (message.from === 'server') return { type, name, from, about, fields }
  const { allow, reply } = message
  return reply === undefined
    ? { type, name, from, about, allow, fields }
    : { type, name, from, about, allow, reply: reply.name, fields }
}

function fromFieldEntries(entries: readonly FieldEntry[]): Fields {
  return Object.fromEntries(
    entries.map(({ name, fields, kind, ...field }) => [
      name,
      (fields === undefined
        ? { ...field, kind: field.values === undefined ? kind : 'oneOf' }
        : { ...field, kind, fields: fromFieldEntries(fields) }) as AnyField,
    ]),
  )
}

/** Builds a catalogue from its JSON form, which gives a client message types that it was not built with. */
export function fromEntries(entries: readonly MessageEntry[]): Catalogue {
  const fromServer = entries.filter(({ from }) => from === 'server')
  const replies = new Map<string, ServerMessage>(
    fromServer.map((entry) => [entry.name, serverMessage({ ...entry, fields: fromFieldEntries(entry.fields) })]),
  )
  const requests = entries.flatMap(({ from, allow, reply, fields, ...entry }) => {
    if (from === 'server' || allow === undefined) return []
    const known = reply === undefined ? undefined : replies.get(reply)
    return [clientMessage({ ...entry, allow, fields: fromFieldEntries(fields), ...(known && { reply: known }) })]
  })
  return new Catalogue([...replies.values(), ...requests])
}
