import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { OnNewMessage, Receive } from '../../client/index.ts'
import type { Frame } from '../../core/wire/index.ts'
import { AcknowledgeRoom, ChatroomMessage, CreateRoom, JoinRoom } from '../../plugins/groups/messages.ts'
import { MessageStored } from '../../plugins/messages/messages.ts'
import { measure, type Period } from './clock.ts'
import { each } from './each.ts'
import { Latency, type Result, type Watcher } from './result.ts'
import { lastIdOf, Template, writeId } from './template.ts'
import { LoadUser } from './user.ts'

export interface GroupOptions extends Period {
  /** Members, all of them online. */
  readonly members: number
  /** Members who send. */
  readonly posters: number
  /** Messages in flight per poster: sent, and not yet delivered to every member. */
  readonly window: number
  /** Bytes of text. */
  readonly size: number
}

/** Digits of the counter in a text and in a client id. */
const DIGITS = 8

/** Fan-out in a group: some members send. A message is done when every other member has received it. */
export async function group(
  address: Address,
  options: GroupOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const { members, posters, window, size } = options
  const run = randomBytes(4).toString('hex')
  const name = `bench-${run}`
  const users: LoadUser[] = []
  let failed: (error: Error) => void = () => {}
  const failure = new Promise<never>((_, reject) => {
    failed = reject
  })
  failure.catch(() => {})
  const owner = await LoadUser.register(address, `bench-g0-${run}`, signal)
  await owner.request(CreateRoom, { group: name })
  await owner.request(Receive, {})
  users.push(owner)
  await each(
    Array.from({ length: members - 1 }),
    async (_, index) => {
      const user = await LoadUser.register(address, `bench-g${index + 1}-${run}`, signal)
      await user.request(JoinRoom, { group: name })
      await user.request(Receive, {})
      users.push(user)
    },
    (done) => watcher.progress('making the group', done / (members - 1)),
  )
  const acknowledge = Template.of(AcknowledgeRoom, { group: name, upTo: 0 })
  const latency = new Latency()
  let recording = false
  let stopping: (() => void) | undefined
  let posted = 0
  let stored = 0
  let deliveries = 0
  // Long enough to occur in texts only: a short one would be part of some id or time sooner or later.
  const mark = Buffer.from(`<${randomBytes(5).toString('hex')}>`)
  const keyBytes = 3 + DIGITS
  /** Missing deliveries and time of sending, by poster and counter of the message. */
  const waiting = new Map<string, { left: number; began: number }>()

  const posts = users.slice(0, posters).map((user, index) => {
    const poster = String(index).padStart(3, '0')
    const zeros = '0'.repeat(DIGITS)
    const text = `${mark.toString()}${poster}${zeros}`
    const template = Template.of(ChatroomMessage, {
      group: name,
      text: text.padEnd(size, 'x'),
      clientId: `${run}-${index}-${zeros}`,
    })
    const inText = template.offsetOf(text) + mark.length + poster.length
    const inId = template.offsetOf(`${run}-${index}-`) + `${run}-${index}-`.length
    let sent = 0
    let open = 0
    const pump = () => {
      while (open < window && stopping === undefined) {
        const bytes = template.copy(++sent)
        const counter = String(sent).padStart(DIGITS, '0')
        bytes.write(counter, inText, 'latin1')
        bytes.write(counter, inId, 'latin1')
        posted++
        waiting.set(`${poster}${counter}`, { left: members - 1, began: performance.now() })
        open++
        user.send(bytes)
      }
    }
    const done = () => {
      open--
      pump()
    }
    return { pump, done }
  })

  for (const user of users) {
    let upTo = 0
    let acknowledging = false
    user.onLost = failed
    user.onFrame = (frame) => {
      if (frame.type === MessageStored.type) {
        stored++
        ended()
        return true
      }
      if (frame.type === 203) failed(new Error('the server refused a message'))
      if (frame.type !== OnNewMessage.type) return false
      received(frame)
      upTo = lastIdOf(frame)
      if (acknowledging) return true
      acknowledging = true
      queueMicrotask(() => {
        acknowledging = false
        const bytes = acknowledge.copy(0)
        writeId(bytes, upTo, acknowledge.lastUint64)
        user.send(bytes)
      })
      return true
    }
  }

  /** Waits until everything sent is done, so that the number of stored messages is exact. */
  function ended() {
    if (waiting.size === 0 && stored === posted) stopping?.()
  }

  function received({ bytes, data, end }: Frame) {
    for (let at = bytes.indexOf(mark, data); at >= 0 && at < end; at = bytes.indexOf(mark, at + keyBytes)) {
      const key = bytes.toString('latin1', at + mark.length, at + mark.length + keyBytes)
      deliveries++
      const post = waiting.get(key)
      if (post === undefined || --post.left > 0) continue
      waiting.delete(key)
      if (recording) latency.add(performance.now() - post.began)
      posts[Number(key.slice(0, 3))]?.done()
      ended()
    }
  }

  for (const { pump } of posts) pump()
  const running = {
    count: () => deliveries,
    record: (on: boolean) => {
      recording = on
    },
  }
  const { count, seconds } = await Promise.race([measure(options, running, watcher, signal), failure])
  const drained = new Promise<void>((resolve) => {
    stopping = resolve
    ended()
  })
  await Promise.race([drained, failure])
  for (const user of users) {
    user.onLost = () => {}
    user.end()
  }
  return {
    workload: 'group',
    shape: `${members} members, ${posters} posters, window ${window}, ${size} B`,
    unit: 'deliveries',
    count,
    seconds,
    perSecond: count / seconds,
    ...latency.result,
    acknowledged: stored,
  }
}
