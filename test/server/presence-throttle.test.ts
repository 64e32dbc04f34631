import test from 'ava'
import { type Presence, PresenceThrottle, type User } from '../../core/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { Gate, until } from '../support/bots/bots.ts'

const user = (id: number): User => ({ id, name: `user${id}`, nickname: '', role: 'user' })
const users = Array.from({ length: 100 }, (_, id) => user(id + 1))

/** A throttle whose announcements wait at a gate; `online` are the users with a session. */
function opened(isAnyoneHere = true) {
  const online = new Set<number>()
  const presence = { isAnyoneHere, isOnline: (id: number) => online.has(id) } as Presence
  const gate = new Gate()
  const announced: string[] = []
  let running = 0
  let most = 0
  const throttle = new PresenceThrottle({
    clock: new TestClock(),
    presence,
    rate: 1000,
    async announce({ name }, isOnline) {
      most = Math.max(most, ++running)
      await gate.pass()
      running--
      announced.push(`${name} ${isOnline ? 'on' : 'off'}`)
      return 1
    },
  })
  return { throttle, online, gate, announced, most: () => most }
}

test('the users of a node that dies are announced a few at a time, all of them', async (t) => {
  const { throttle, online, gate, announced, most } = opened()
  for (const one of users) {
    online.add(one.id)
    throttle.changed(one)
  }
  await gate.reached(8)
  t.is(most(), 8)
  gate.open()
  await until(() => announced.length === users.length)
  t.is(most(), 8)
  t.deepEqual([...announced].sort(), users.map(({ name }) => `${name} on`).sort())
})

test('a node without a session announces nothing', async (t) => {
  const { throttle, online, announced } = opened(false)
  online.add(1)
  throttle.changed(user(1))
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(announced, [])
})
