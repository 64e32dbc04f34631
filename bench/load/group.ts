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
  /** All of them are there and listen. */
  readonly members: number
  /** How many of them write. */
  readonly posters: number
  /** Messages of a poster that not everyone has yet. */
  readonly window: number
  readonly size: number
}

/** A group of which some write, each message to all others. A message is done when every other member has it. */
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
  const owner = await LoadUser.register(address, `g0-${run}`)
  await owner.request(CreateRoom, { group: name })
  await owner.request(Receive, {})
  users.push(owner)
  await each(
    Array.from({ length: members - 1 }),
    async (_, index) => {
      const user = await LoadUser.register(address, `g${index + 1}-${run}`)
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
  let stored = 0
  let deliveries = 0
  /** Deliveries still missing, and when it was sent, by poster and place in its sequence. */
  const waiting = new Map<string, { left: number; began: number }>()

  const posts = users.slice(0, posters).map((user, index) => {
    const mark = `#${index}#`.padEnd(8)
    const template = Template.of(ChatroomMessage, {
      group: name,
      text: `${mark}${'0'.repeat(8)}${'x'.repeat(Math.max(0, size - 16))}`,
      clientId: `${run}-${index}-${'0'.repeat(8)}`,
    })
    const inText = template.placeOf(mark) + 8
    const inId = template.placeOf(`${run}-${index}-`) + `${run}-${index}-`.length
    let sent = 0
    let open = 0
    const pump = () => {
      while (open < window && stopping === undefined) {
        const bytes = template.copy(++sent)
        const counter = String(sent).padStart(8, '0')
        bytes.write(counter, inText, 'latin1')
        bytes.write(counter, inId, 'latin1')
        waiting.set(`${mark}${counter}`, { left: members - 1, began: performance.now() })
        open++
        user.send(bytes)
      }
    }
    const done = () => {
      open--
      pump()
    }
    return { mark, pump, done }
  })
  const posterOf = new Map(posts.map((post) => [post.mark, post]))

  for (const user of users) {
    let upTo = 0
    let acknowledging = false
    user.onLost = failed
    user.onFrame = (frame) => {
      if (frame.type === MessageStored.type) {
        stored++
        return true
      }
      if (frame.type === 203) failed(new Error('the server refused a message'))
      if (frame.type !== OnNewMessage.type) return false
      heard(frame)
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

  function heard({ bytes, data, end }: Frame) {
    // Wherever they begin: the marks are in the texts, and in nothing else.
    for (let at = bytes.indexOf('#', data); at >= 0 && at < end; at = bytes.indexOf('#', at + 16)) {
      const key = bytes.toString('latin1', at, at + 16)
      deliveries++
      const post = waiting.get(key)
      if (post === undefined || --post.left > 0) continue
      waiting.delete(key)
      if (recording) latency.add(performance.now() - post.began)
      posterOf.get(key.slice(0, 8))?.done()
      if (waiting.size === 0) stopping?.()
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
    if (waiting.size === 0) resolve()
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
