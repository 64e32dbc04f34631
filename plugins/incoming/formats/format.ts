import type { IncomingHttpHeaders } from 'node:http'

export type Values = Readonly<Record<string, unknown>>

/** A request to a hook. */
export interface Payload {
  readonly headers: IncomingHttpHeaders
  readonly body: Values
}

/** What the sender of a request expects. */
export interface Answer {
  readonly status: number
  readonly type?: string
  readonly body?: string
}

/** The requests of one sort of senders. */
export interface Format {
  readonly name: string
  recognises(payload: Payload): boolean
  /** The message as text, empty if there is none; undefined for a request that is not worth a message. */
  render(payload: Payload): string | undefined
  /** The answer when the message `id` is stored; 0 if there was nothing to store. */
  answer(id: number, query: URLSearchParams): Answer
}

export const OK: Answer = { status: 200, type: 'text/plain; charset=utf-8', body: 'ok' }

export const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The objects of a list; none for anything else. */
export const objects = (value: unknown): readonly Values[] => (Array.isArray(value) ? value.filter(isObject) : [])

export const object = (value: unknown): Values => (isObject(value) ? value : {})

/** A text, or a number as text, without blanks around it; empty for anything else. */
export const text = (value: unknown): string =>
  typeof value === 'string' ? value.replaceAll('\r\n', '\n').trim() : typeof value === 'number' ? String(value) : ''
