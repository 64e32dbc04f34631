import type { AnyField, Fields, Input, Values } from './field.ts'

/**
 * Permission to send a message, checked at dispatch.
 * `any`: after the handshake. `anonymous`: before login. `user`: logged in.
 * `admin`: an account with the role admin, or the operator. `operator`: the server's control socket only.
 */
export type Allow = 'any' | 'anonymous' | 'user' | 'admin' | 'operator'

/** First message type of third-party plugins; lower numbers are for built-in types, later ones included. */
export const FIRST_FOREIGN_TYPE = 1000

interface Shared<F extends Fields> {
  /** Number in the header; in third-party plugins from FIRST_FOREIGN_TYPE. */
  readonly type: number
  /** snake_case, unique; also the name of its event, and in `chatctl inject NAME`. */
  readonly name: string
  readonly about: string
  readonly fields: F
}

/** A message that clients send. `reply` is the reply on success; failures have message types of their own. */
export interface ClientMessage<
  F extends Fields = Fields,
  R extends ServerMessage | undefined = ServerMessage | undefined,
  A extends Allow = Allow,
> extends Shared<F> {
  readonly from: 'client'
  readonly allow: A
  readonly reply: R
}

/** A message that only the server sends: a reply (`ref` of the request) or a push (`ref` 0). */
export interface ServerMessage<F extends Fields = Fields> extends Shared<F> {
  readonly from: 'server'
}

export type Message = ClientMessage | ServerMessage
export type ValuesOf<M extends Message> = Values<M['fields']>
export type InputOf<M extends Message> = Input<M['fields']>
export type ReplyOf<M extends ClientMessage> = M['reply'] extends ServerMessage ? ValuesOf<M['reply']> : undefined

const NAME = /^[a-z][a-z0-9_]{0,63}$/

function check(message: Shared<Fields>) {
  if (!Number.isInteger(message.type) || message.type < 1 || message.type > 0xffffffff)
    throw new TypeError(`message type ${message.type} is not a number from 1 to 2^32 - 1`)
  if (!NAME.test(message.name)) throw new TypeError(`message name "${message.name}" is not snake_case`)
  checkFields(message.fields, message.name)
}

function checkFields(fields: Fields, where: string) {
  const entries = Object.entries(fields)
  let optionalSeen = false
  for (const [index, [name, field]] of entries.entries()) {
    if (name === 'ref') throw new TypeError(`${where}: every message has a ref of its own`)
    if (field.kind === 'list') {
      if (index !== entries.length - 1) throw new TypeError(`${where}.${name}: a list may come only last`)
      if (Object.values(field.fields).some((inner: AnyField) => inner.kind === 'list'))
        throw new TypeError(`${where}.${name}: a list in a list`)
      checkFields(field.fields, `${where}.${name}`)
      continue
    }
    const isOptional = field.default !== undefined
    if (optionalSeen && !isOptional) throw new TypeError(`${where}.${name}: a required field after an optional one`)
    optionalSeen ||= isOptional
  }
}

/** Defines a message from client to server. @throws TypeError for a definition that the wire format cannot express */
export function clientMessage<
  const F extends Fields,
  const A extends Allow,
  R extends ServerMessage | undefined = undefined,
>(message: Shared<F> & { readonly allow: A; readonly reply?: R }): ClientMessage<F, R, A> {
  check(message)
  return { ...message, from: 'client', reply: message.reply as R }
}

/** Defines a message from server to client. @throws TypeError as clientMessage */
export function serverMessage<const F extends Fields>(message: Shared<F>): ServerMessage<F> {
  check(message)
  return { ...message, from: 'server' }
}
