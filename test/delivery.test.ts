import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { UserSession } from '../core/index.ts'
import { Delivery, type LoadUnread } from '../plugins/messages/delivery.ts'

type Page = Awaited<ReturnType<LoadUnread>>

/** A delivery whose database answers when the test says so. */
function slowDelivery(t: ExecutionContext) {
  const pushed: Buffer[] = []
  const asked: number[] = []
  let arrives: (page: Page) => void = () => {}
  const session = { open: true, writable: true, sendEncoded: (bytes: Buffer) => pushed.push(bytes) }
  const delivery = new Delivery(session as unknown as UserSession, {
    load: (after) => {
      asked.push(after)
      return new Promise((resolve) => {
        arrives = resolve
      })
    },
    window: 10,
    wants: () => true,
    onError: (error) => t.fail(String(error)),
  })
  return {
    delivery,
    /** After which ids the database was asked. */
    asked,
    async answer(page: Page) {
      arrives(page)
      await setImmediate()
    },
    pushed: () => Buffer.concat(pushed),
  }
}

const style = { font: '', fontSize: 0, color: '' }
const message = (id: number, text: string) => ({
  conversation: 'user 1',
  message: { id, kind: 1, from: 'alice', to: 'bob', text, sentAt: 0, unread: true, ...style, group: '' },
})

test('recalled while a page of the database is on its way, a message is not pushed with it', async (t) => {
  const { delivery, answer, pushed } = slowDelivery(t)
  delivery.catchUp()
  delivery.forget('user 1', 2)
  await answer({ found: [message(1, 'stays'), message(2, 'goes'), message(3, 'stays too')], more: false })
  t.true(pushed().includes('stays') && pushed().includes('stays too'))
  t.false(pushed().includes('goes'))
})

test('begun anew while a page of the database is on its way, it asks from the beginning again', async (t) => {
  const { delivery, asked, answer, pushed } = slowDelivery(t)
  delivery.catchUp()
  await answer({ found: [message(5, 'five')], more: true })
  delivery.restart()
  await answer({ found: [message(6, 'six')], more: false })
  t.deepEqual(asked, [0, 5, 0])
  await answer({ found: [message(3, 'three'), message(5, 'five'), message(6, 'six')], more: false })
  t.true(pushed().includes('three') && pushed().includes('six'))
})
