import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { Acknowledge, OnNewMessage, Receive, SendMessage } from '../../client/index.ts'
import { AddFriend, ConfirmFriendRequest } from '../../plugins/friends/messages.ts'
import type { Result, Watcher } from './result.ts'
import { lastIdOf } from './template.ts'
import { LoadUser } from './user.ts'

export interface UnreadOptions {
  readonly messages: number
  readonly size: number
}

/** Messages in flight while the backlog is written. */
const CONCURRENCY = 100

/** Time to read a backlog: from connecting to the last unread message, acknowledging all of them. */
export async function unread(
  address: Address,
  { messages, size }: UnreadOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const run = randomBytes(4).toString('hex')
  const sender = await LoadUser.register(address, `bench-u0-${run}`, signal)
  const recipient = await LoadUser.register(address, `bench-u1-${run}`, signal)
  await sender.request(AddFriend, { user: recipient.account.name })
  await recipient.request(ConfirmFriendRequest, { user: sender.account.name, accept: true })
  recipient.end()
  const text = 'x'.repeat(size)
  for (let sent = 0; sent < messages; ) {
    const burst = Math.min(CONCURRENCY, messages - sent)
    await Promise.all(
      Array.from({ length: burst }, (_, n) =>
        sender.request(SendMessage, { to: recipient.account.name, text, clientId: `${run}-${sent + n}` }),
      ),
    )
    sent += burst
    watcher.progress('writing the backlog', sent / messages)
  }
  watcher.measuring(true)
  const began = performance.now()
  const reader = await LoadUser.login(address, recipient.account, signal)
  let received = 0
  await new Promise<void>((resolve, reject) => {
    reader.onLost = reject
    reader.onFrame = (frame) => {
      if (frame.type !== OnNewMessage.type) return false
      received += frame.bytes.readUInt32BE(frame.data + 4)
      reader.request(Acknowledge, { from: sender.account.name, upTo: lastIdOf(frame) }).catch(reject)
      if (received >= messages) resolve()
      return true
    }
    reader.request(Receive, {}).catch(reject)
  })
  const seconds = (performance.now() - began) / 1000
  watcher.measuring(false)
  reader.onLost = () => {}
  reader.end()
  sender.end()
  return {
    workload: 'unread',
    shape: `${messages} messages, ${size} B`,
    unit: 'messages',
    count: received,
    seconds,
    perSecond: received / seconds,
    acknowledged: messages,
  }
}
