import { createHash } from 'node:crypto'
import {
  type App,
  type ClientMessage,
  Done,
  decode,
  definePlugin,
  encode,
  type Frame,
  type InputOf,
  MessageSplitter,
  Refused,
  WireError,
} from '../../core/index.ts'
import { deleteRequestKeysBefore, findRequestKey, type RequestKeyRow } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { placeOf, RequestKeys } from './keys.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'

const { Once, OnceDone } = messages

const HOUR_MS = 3_600_000
/** The ref, which differs each time a request is sent. */
const REF_BYTES = 4

interface Answer {
  readonly repeat: boolean
  readonly reply: Buffer
}

/** Requests that are carried out once however often they are sent, by a key that their sender gives them. */
export const idempotency = definePlugin({
  name: 'idempotency',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  setup(app, { limits, db, log }) {
    /** Under way, by user and key. */
    const running = new Map<string, { readonly hash: string; readonly reply: Promise<Buffer> }>()

    const keys = new RequestKeys(app, limits, db, log)
    const runningOf = (userId: number) =>
      [...running.keys()].flatMap((place) => (place.startsWith(`${userId} `) ? [place.slice(`${userId} `.length)] : []))

    const carryOut = async (
      row: RequestKeyRow,
      perform: () => Promise<object | undefined>,
      toReply: (values: object | undefined) => Buffer,
    ): Promise<Answer> => {
      if (!(await keys.take(row))) return { repeat: true, reply: await earlierReply(row) }
      let values: object | undefined
      try {
        values = await perform()
      } catch (refusal) {
        await noted(row, 'cannot give a key back', () => release(row, refusal, toReply))
        throw refusal
      }
      const reply = toReply(values)
      // The key stays taken, without a reply: that the request was carried out is certain.
      if (reply.length > OnceDone.fields.reply.max)
        throw new Refused('too_large', 'it was carried out, but its reply is too long for once_done')
      await noted(row, 'cannot keep the reply of a request', () => keys.keep(row, reply, runningOf(row.user_id)))
      return { repeat: false, reply }
    }

    /** Gives the key back, at once or as soon as it is certain that the request was not carried out. */
    const release = async (row: RequestKeyRow, refusal: unknown, toReply: (values: object) => Buffer) => {
      const outcome = refusal instanceof Refused ? refusal.outcome : undefined
      if (outcome === undefined) return keys.giveBack(row)
      const reply = outcome.then((values) => values && toReply(values))
      // Its sender is not kept waiting for it.
      void noted(row, 'the outcome of a request is not known', () => keys.hold(row, reply, runningOf(row.user_id)))
    }

    /** What became of the request is certain, and its sender is told; only who asks once more may not be. */
    const noted = async ({ request_key: key }: RequestKeyRow, otherwise: string, note: () => Promise<void>) => {
      try {
        await note()
      } catch (error) {
        log.error({ err: error, key }, otherwise)
      }
    }

    const earlierReply = async (row: RequestKeyRow): Promise<Buffer> => {
      const earlier = await findRequestKey(db, row.user_id, row.request_key)
      if (earlier?.request_hash !== row.request_hash) throw new Refused(FAILURES.key_reused)
      if (earlier.reply === null) throw new Refused(FAILURES.outcome_unknown)
      return earlier.reply
    }

    app.handle(Once, async (session, { key, request }) => {
      const { message, frame, values } = innerRequest(app, request)
      const hash = createHash('sha256')
        .update(frame.bytes.subarray(0, frame.data))
        .update(frame.bytes.subarray(frame.data + REF_BYTES))
        .digest('base64url')
      const place = placeOf({ user_id: session.user.id, request_key: key })
      const other = running.get(place)
      if (other !== undefined) {
        if (other.hash !== hash) throw new Refused(FAILURES.key_reused)
        return { repeat: true, reply: await other.reply }
      }
      const asked_at = app.clock.time()
      const row = { user_id: session.user.id, request_key: key, request_hash: hash, reply: null, asked_at }
      const toReply = (reply: object | undefined) => encode(message.reply ?? Done, 0, (reply ?? {}) as never)
      const answer = carryOut(row, () => session.request(message, values, { rated: false }), toReply)
      const reply = answer.then((answered) => answered.reply)
      // Looked at only by who asks the same meanwhile.
      reply.catch(() => {})
      running.set(place, { hash, reply })
      try {
        return await answer
      } finally {
        running.delete(place)
      }
    })

    const forget = () => deleteRequestKeysBefore(db, app.clock.time() - limits.requestKeys)
    app.every(HOUR_MS, forget)
    return forget()
  },
})

/** The request in an envelope. @throws Refused for what is no request of a user */
function innerRequest(app: App, bytes: Uint8Array): { message: ClientMessage; frame: Frame; values: InputOf<never> } {
  try {
    const frames = [...new MessageSplitter(app.limits).push(Buffer.from(bytes))]
    const [frame] = frames
    if (frame === undefined || frames.length > 1 || frame.end !== bytes.length)
      throw new Refused('invalid_value', 'once.request: holds not exactly one message')
    const message = app.catalogue.byType(frame.type)
    if (message?.from !== 'client') throw new Refused('unknown_type')
    if (message.type === Once.type || (message.allow !== 'user' && message.allow !== 'admin'))
      throw new Refused('not_allowed', `${message.name} cannot be sent once`)
    return { message, frame, values: decode(message, frame, app.limits.values).values as InputOf<never> }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw new Refused('invalid_value', `once.request: ${error.message}`)
  }
}
