import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { type InputOf, Push, type UserSession } from '../../core/index.ts'
import { Delivery, type LoadUnread } from '../../plugins/messages/delivery.ts'
import { OnNewMessage } from '../../plugins/messages/messages.ts'

type Page = Awaited<ReturnType<LoadUnread>>

/** A delivery whose database answers when the test says so. */
function slowDelivery(t: ExecutionContext, newest = 100) {
  const pushed: Buffer[] = []
  const asked: number[] = []
  let arrives: (page: Page) => void = () => {}
  const session = {
    open: true,
    writable: true,
    push: (push: Push) => pushed.push(push.bytes),
    send: (message: typeof OnNewMessage, values: InputOf<typeof OnNewMessage>) =>
      pushed.push(new Push(message, values).bytes),
  }
  const delivery = new Delivery(session as unknown as UserSession, {
    load: (after) => {
      asked.push(after)
      return new Promise((resolve) => {
        arrives = resolve
      })
    },
    horizon: () => newest,
    window: 10,
    after: 0,
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

const style = { font: '', fontSize: 0, color: '', hops: 0 }
const message = (id: number, text: string) => ({
  conversation: 'user 1',
  message: { id, kind: 1, from: 'alice', to: 'bob', text, sentAt: 0, unread: true, ...style, group: '' },
})

const pushOf = (deliverable: ReturnType<typeof message>) => new Push(OnNewMessage, { messages: [deliverable.message] })

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

test('what the database shows before its turn has come is pushed in its turn, once', async (t) => {
  const { delivery, answer, pushed } = slowDelivery(t, 2)
  const texts = () => ['one', 'two', 'three', 'four'].map((text) => pushed().toString('latin1').split(text).length - 1)
  delivery.catchUp()
  // The commit of the third was not told of yet, and the database already knows the fourth.
  await answer({ found: [message(1, 'one'), message(2, 'two'), message(4, 'four')], more: false })
  t.deepEqual(texts(), [1, 1, 0, 0])
  for (const late of [message(3, 'three'), message(4, 'four')]) delivery.stored(late, pushOf(late))
  t.deepEqual(texts(), [1, 1, 1, 1])
})

test('stored while there was no room, a few are kept and pushed without asking the database', async (t) => {
  const { delivery, asked, answer, pushed } = slowDelivery(t)
  delivery.catchUp()
  await answer({ found: [], more: false })
  for (let id = 1; id <= 15; id++) delivery.stored(message(id, `m${id};`), pushOf(message(id, `m${id};`)))
  t.is(pushed().toString('latin1').split(';').length - 1, 10, 'a window of them')
  delivery.acknowledged('user 1', 5)
  await setImmediate()
  delivery.acknowledged('user 1', 10)
  await setImmediate()
  t.deepEqual(
    pushed().toString('latin1').match(/m\d+;/g),
    Array.from({ length: 15 }, (_, n) => `m${n + 1};`),
  )
  t.deepEqual(asked, [0])
})
