import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import pino from 'pino'
import { type App, type InputOf, Push, type UserSession } from '../../core/index.ts'
import { newDeliverable } from '../../plugins/messages/deliverable.ts'
import { Deliveries } from '../../plugins/messages/deliveries.ts'
import { Delivery, type DeliveryOptions, type LoadUnread } from '../../plugins/messages/delivery.ts'
import type { OnNewMessage } from '../../plugins/messages/messages.ts'

type Page = Awaited<ReturnType<LoadUnread>>

/** A delivery whose database answers when the test says so, with a window of 10. */
function slowDelivery(t: ExecutionContext, horizon = 100, options: Partial<DeliveryOptions> = {}) {
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
    horizon: () => horizon,
    window: 10,
    after: 0,
    wants: () => true,
    onError: (error) => t.fail(String(error)),
    ...options,
  })
  return {
    delivery,
    session,
    /** After which ids the database was asked. */
    asked,
    async answer(page: Page) {
      arrives(page)
      await setImmediate()
    },
    pushed: () => Buffer.concat(pushed),
  }
}

const style = { font: '', fontSize: 0, color: '', hops: 0, replyTo: 0, editedAt: 0 }
const noFile = { file: 0, fileName: '', fileSize: 0, fileType: '', fileWidth: 0, fileHeight: 0 }
const noPicture = { fileThumbhash: '', filePreview: false }
const message = (id: number, text: string) => ({
  conversation: 'user 1',
  message: {
    id,
    kind: 1,
    from: 'alice',
    to: 'bob',
    text,
    sentAt: 0,
    unread: true,
    ...style,
    ...noFile,
    ...noPicture,
    group: '',
  },
})

const stored = (id: number, text: string) => newDeliverable('user 1', message(id, text).message)

test('a message that is recalled while a page of the database is being read is not pushed with it [D-8]', async (t) => {
  const { delivery, answer, pushed } = slowDelivery(t)
  delivery.catchUp()
  delivery.forget('user 1', 2)
  await answer({ found: [message(1, 'stays'), message(2, 'goes'), message(3, 'stays too')], more: false })
  t.true(pushed().includes('stays') && pushed().includes('stays too'))
  t.false(pushed().includes('goes'))
})

test('messages that are acknowledged while their page is being read take no place in the window', async (t) => {
  const { delivery, answer, pushed } = slowDelivery(t, 100, { window: 2 })
  delivery.catchUp()
  // The client has them from an earlier session, and will not acknowledge them again.
  delivery.acknowledged('user 1', 2)
  await answer({ found: [message(1, 'one'), message(2, 'two'), message(3, 'three'), message(4, 'four')], more: false })
  t.deepEqual(
    pushed()
      .toString('latin1')
      .match(/one|two|three|four/g),
    ['three', 'four'],
  )
})

test('a message that is edited while it waits, or while a page is being read, is pushed with its new text [D-13]', async (t) => {
  const { delivery, asked, answer, pushed } = slowDelivery(t, 100, { window: 1 })
  const edit = (id: number) => delivery.edited({ id, text: `new ${id};`, editedAt: 1 })
  delivery.catchUp()
  edit(2)
  await answer({ found: [message(1, 'old 1;'), message(2, 'old 2;')], more: false })
  t.deepEqual(asked, [0, 0], 'the page may hold a former text')
  await answer({ found: [message(1, 'old 1;'), message(2, 'new 2;'), message(3, 'old 3;')], more: false })
  delivery.stored(stored(4, 'old 4;'))
  for (const id of [1, 3, 4]) edit(id)
  for (const id of [1, 2, 3]) {
    delivery.acknowledged('user 1', id)
    await setImmediate()
  }
  t.deepEqual(
    pushed()
      .toString('latin1')
      .match(/(?:old|new) \d;/g),
    ['old 1;', 'new 2;', 'new 3;', 'new 4;'],
  )
  t.deepEqual(asked, [0, 0])
})

test('a page that is being read when the user leaves a group is discarded and read again [D-7]', async (t) => {
  const { delivery, asked, answer, pushed } = slowDelivery(t)
  const inGroup = { ...message(6, 'from the group'), conversation: 'group 1' }
  delivery.catchUp()
  await answer({ found: [message(5, 'five')], more: true })
  delivery.left('group 1')
  await answer({ found: [inGroup, message(7, 'seven')], more: false })
  t.deepEqual(asked, [0, 5, 5])
  await answer({ found: [message(7, 'seven')], more: false })
  t.true(pushed().includes('seven'))
  t.false(pushed().includes('from the group'))
})

test('a message that the database shows before its turn is pushed in its turn, once [D-3] [D-6]', async (t) => {
  const { delivery, answer, pushed } = slowDelivery(t, 2)
  const texts = () => ['one', 'two', 'three', 'four'].map((text) => pushed().toString('latin1').split(text).length - 1)
  delivery.catchUp()
  // The third is not told yet, although the database already shows the fourth.
  await answer({ found: [message(1, 'one'), message(2, 'two'), message(4, 'four')], more: false })
  t.deepEqual(texts(), [1, 1, 0, 0])
  for (const late of [stored(3, 'three'), stored(4, 'four')]) delivery.stored(late)
  t.deepEqual(texts(), [1, 1, 1, 1])
})

test('messages stored while the window is full are kept and pushed without a read of the database [D-4]', async (t) => {
  const { delivery, asked, answer, pushed } = slowDelivery(t)
  delivery.catchUp()
  await answer({ found: [], more: false })
  for (let id = 1; id <= 15; id++) delivery.stored(stored(id, `m${id};`))
  t.is(pushed().toString('latin1').split(';').length - 1, 10, 'a window')
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

test('a held delivery pushes nothing, then what was stored meanwhile, without a read if nothing was unread [D-5]', async (t) => {
  const { delivery, asked, pushed } = slowDelivery(t)
  delivery.hold()
  delivery.stored(stored(1, 'first;'))
  delivery.stored(stored(2, 'second;'))
  delivery.forget('user 1', 2)
  delivery.catchUp()
  await setImmediate()
  t.is(pushed().length, 0)
  delivery.release(true)
  delivery.stored(stored(3, 'third;'))
  t.is(pushed().length, 0, 'before the reply, which the owner sends first')
  delivery.catchUp()
  await setImmediate()
  t.regex(pushed().toString(), /first;.*third;/s)
  t.false(pushed().includes('second;'))
  t.deepEqual(asked, [])
})

test('a held delivery reads the database if something was unread, or became so to a conversation that was left', async (t) => {
  for (const release of [false, true]) {
    const { delivery, asked, answer, pushed } = slowDelivery(t)
    delivery.hold()
    delivery.stored(stored(2, 'second;'))
    if (release) delivery.left('group 7')
    delivery.release(release)
    delivery.catchUp()
    await answer({ found: [message(1, 'first;'), message(2, 'second;')], more: false })
    t.deepEqual(asked, [0])
    t.is(pushed().toString().split('second;').length, 2, 'once')
    t.true(pushed().includes('first;'))
  }
})

test('a filter by id holds for new messages as well', async (t) => {
  const { delivery, answer, pushed } = slowDelivery(t, 100, { after: 5 })
  delivery.catchUp()
  await answer({ found: [], more: false })
  for (const [id, text] of [
    [5, 'five'],
    [6, 'six'],
  ] as const)
    delivery.stored(stored(id, text))
  t.true(pushed().includes('six'))
  t.false(pushed().includes('five'))
})

test('a push with a lower id than an earlier one is an error of this delivery alone [D-3] [D-12]', async (t) => {
  const errors: unknown[] = []
  const { delivery, answer } = slowDelivery(t, 100, { onError: (error) => errors.push(error) })
  delivery.catchUp()
  await answer({ found: [message(2, 'two')], more: false })
  delivery.stored(stored(1, 'one'))
  t.regex(String(errors[0]), /\[D-3\]/)
})

test('under back-pressure nothing is pushed, and what does not fit into memory is read later [D-9]', async (t) => {
  const { delivery, session, asked, answer, pushed } = slowDelivery(t, 1000, { window: 200 })
  delivery.catchUp()
  await answer({ found: [], more: false })
  session.writable = false
  const text = 'x'.repeat(2000)
  for (let id = 1; id <= 100; id++) delivery.stored(stored(id, `${id}:${text}`))
  t.is(pushed().length, 0)
  session.writable = true
  delivery.catchUp()
  await setImmediate()
  t.deepEqual(asked, [0, 0], 'the database is asked for all of them')
  await answer({ found: Array.from({ length: 100 }, (_, n) => message(n + 1, `${n + 1}:${text}`)), more: false })
  // 128 KiB of the page are kept; the rest is read again.
  t.deepEqual(asked, [0, 0, 65])
  await answer({ found: Array.from({ length: 35 }, (_, n) => message(n + 66, `${n + 66}:${text}`)), more: false })
  t.deepEqual(
    [
      ...pushed()
        .toString('latin1')
        .matchAll(/(\d+):x/g),
    ].map(([, id]) => Number(id)),
    Array.from({ length: 100 }, (_, n) => n + 1),
  )
})

test('a delivery that begins after its session has closed is forgotten', async (t) => {
  const app = { on() {} } as unknown as App
  const deliveries = new Deliveries({ app, log: pino({ level: 'silent' }), window: 10, horizon: () => 100 })
  const session = { user: { id: 7 }, open: false, writable: false, closed: Promise.resolve() }
  let offered = 0
  for (let round = 0; round < 2; round++) {
    deliveries.begin(session as unknown as UserSession, {
      load: () => Promise.resolve({ found: [], more: false }),
      after: 0,
      wants: () => {
        offered++
        return true
      },
    })
    deliveries.fanOut('user 1', message(1, 'at once').message, [7], undefined)
    await setImmediate()
    deliveries.fanOut('user 1', message(2, 'later').message, [7], undefined)
  }
  t.is(offered, 2)
})

/** A user with sessions that accept everything. */
function crowd(deliveries: Deliveries, id: number, sessions: number) {
  for (let n = 0; n < sessions; n++) {
    const session = { user: { id }, open: true, writable: true, closed: new Promise(() => {}), push() {} }
    deliveries.begin(session as unknown as UserSession, {
      load: () => Promise.resolve({ found: [], more: false }),
      after: 0,
    })
  }
}

test('messages that reach 10,000 sessions pause the next fan-out for a turn; one message is not divided', (t) => {
  const app = { on() {} } as unknown as App
  const deliveries = new Deliveries({ app, log: pino({ level: 'silent' }), window: 10, horizon: () => 100 })
  crowd(deliveries, 7, 600)
  crowd(deliveries, 8, 1)
  let reached = 0
  for (let id = 1; deliveries.pause() === undefined; id++) {
    deliveries.fanOut('group 1', message(id, 'to all').message, [7], undefined)
    reached += 600
  }
  t.is(reached, 10_200)
  t.is(deliveries.pause(), undefined)
  for (let id = 1; id < 10_000; id++) {
    deliveries.fanOut('user 1', message(id, 'to one').message, [8], undefined)
    t.is(deliveries.pause(), undefined)
  }
})
