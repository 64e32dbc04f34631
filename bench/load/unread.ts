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

/** Messages sent at a time while they pile up. */
const AT_ONCE = 100

/** Someone comes back to many unread messages: from connecting to the last of them, all acknowledged on the way. */
export async function unread(
  address: Address,
  { messages, size }: UnreadOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const run = randomBytes(4).toString('hex')
  const sender = await LoadUser.register(address, `bench-u0-${run}`, signal)
  const absent = await LoadUser.register(address, `bench-u1-${run}`, signal)
  await sender.request(AddFriend, { user: absent.account.name })
  await absent.request(ConfirmFriendRequest, { user: sender.account.name, accept: true })
  absent.end()
  const text = 'x'.repeat(size)
  for (let sent = 0; sent < messages; ) {
    const burst = Math.min(AT_ONCE, messages - sent)
    await Promise.all(
      Array.from({ length: burst }, (_, n) =>
        sender.request(SendMessage, { to: absent.account.name, text, clientId: `${run}-${sent + n}` }),
      ),
    )
    sent += burst
    watcher.progress('writing to who is away', sent / messages)
  }
  watcher.measuring(true)
  const began = performance.now()
  const back = await LoadUser.login(address, absent.account, signal)
  let heard = 0
  await new Promise<void>((resolve, reject) => {
    back.onLost = reject
    back.onFrame = (frame) => {
      if (frame.type !== OnNewMessage.type) return false
      heard += frame.bytes.readUInt32BE(frame.data + 4)
      back.request(Acknowledge, { from: sender.account.name, upTo: lastIdOf(frame) }).catch(reject)
      if (heard >= messages) resolve()
      return true
    }
    back.request(Receive, {}).catch(reject)
  })
  const seconds = (performance.now() - began) / 1000
  watcher.measuring(false)
  back.onLost = () => {}
  back.end()
  sender.end()
  return {
    workload: 'unread',
    shape: `${messages} messages, ${size} B`,
    unit: 'messages',
    count: heard,
    seconds,
    perSecond: heard / seconds,
    acknowledged: messages,
  }
}
