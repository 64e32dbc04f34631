import type { Page } from 'playwright-core'
import type { Client } from '../../client/index.ts'
import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

const LIMITS = { requestRate: 100_000, requestBurst: 100_000, requestsAtOnce: 100 }

/** Sends numbered messages, many at a time, in their order. */
async function sendMany(client: Client, to: string, count: number) {
  for (let n = 1; n <= count; n += 100)
    await Promise.all(
      Array.from({ length: Math.min(100, count + 1 - n) }, (_, more) =>
        client.send(to, textOf(n + more), { timeout: 60_000 }),
      ),
    )
}

/** Messages of one to four lines, so that rows differ in height. */
const textOf = (n: number) => `message ${n}${'\nnext line'.repeat(n % 4)}`

interface View {
  readonly id: number
  readonly top: number
  readonly first: number
  readonly rows: number
}

/** Scrolls to the top, and waits until older messages have come. @returns the row that was at the top, before and after */
const pageUp = (page: Page) =>
  page.evaluate(`(async () => {
    const list = document.querySelector('.messages')
    const rows = () => [...list.querySelectorAll('.message')]
    const topOf = (row) => row.getBoundingClientRect().top - list.getBoundingClientRect().top
    list.scrollTop = 0
    const row = rows()[0]
    const before = { id: Number(row.dataset.id), top: topOf(row), first: Number(row.dataset.id), rows: rows().length }
    await new Promise((resolve) => {
      const look = () => (Number(rows()[0].dataset.id) < before.first ? resolve() : requestAnimationFrame(look))
      look()
    })
    return [before, { id: before.id, top: topOf(row), first: Number(rows()[0].dataset.id), rows: rows().length }]
  })()`) as Promise<[View, View]>

testInBrowser('Ann scrolls back 40 pages in 10,000 messages: at most 300 rows, and nothing jumps', async (t) => {
  const { server, visitor } = await openStage(t, { limits: LIMITS })
  const [bob, annElsewhere] = [await server.user('bob'), await server.user('ann')]
  await sendMany(bob, 'ann', 10_000)
  const last = (await annElsewhere.history('bob', { limit: 1 })).messages[0]
  if (last !== undefined) await annElsewhere.acknowledge(last)
  const ann = await visitor('ann')
  await ann.logIn()
  await ann.openUser('bob')
  await ann.sees(/^message 10000/)
  t.is(await ann.messages().count(), 50)

  for (let page = 1; page <= 40; page++) {
    const [before, after] = await pageUp(ann.page)
    t.true(Math.abs(after.top - before.top) <= 2, `page ${page}: moved by ${after.top - before.top} px`)
    t.true(after.rows <= 300, `${after.rows} rows`)
  }
  t.true((await ann.texts())[0]?.startsWith(`message ${10_000 - 41 * 50 + 1}\n`))

  const metrics = await ann.context.newCDPSession(ann.page)
  await metrics.send('Performance.enable')
  await metrics.send('HeapProfiler.collectGarbage')
  const heap = (await metrics.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'JSHeapUsedSize')
  t.true((heap?.value ?? Infinity) < 60e6, `heap of ${heap?.value} bytes`)

  await ann.press('To the newest message')
  await ann.sees(/^message 10000/)
  await bob.send('ann', 'after that')
  await ann.sees('after that')
})

/** The page never gets an answer about reactions. */
const WITHOUT_REACTIONS = `
  const post = MessagePort.prototype.postMessage
  MessagePort.prototype.postMessage = function (message, ...rest) {
    if (message.name !== 'reactions') post.call(this, message, ...rest)
  }`

testInBrowser('Ann scrolls on while the reactions to what she sees are still on their way', async (t) => {
  const { server, visitor } = await openStage(t, { limits: LIMITS })
  const [bob, annElsewhere] = [await server.user('bob'), await server.user('ann')]
  await sendMany(bob, 'ann', 200)
  const last = (await annElsewhere.history('bob', { limit: 1 })).messages[0]
  if (last !== undefined) await annElsewhere.acknowledge(last)
  const ann = await visitor('ann')
  await ann.page.addInitScript(WITHOUT_REACTIONS)
  await ann.page.reload()
  await ann.logIn()
  await ann.openUser('bob')
  await ann.sees(/^message 200$/)
  for (let page = 1; page <= 3; page++) await pageUp(ann.page)
  t.true((await ann.texts())[0]?.startsWith('message 1\n'))
})

testInBrowser('a conversation opens at the first unread message, and the line stays while Ann reads', async (t) => {
  const { server, person } = await openStage(t, { limits: LIMITS })
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'old')
  await ann.open('bob')
  await ann.sees('old')
  await ann.contact('bob').locator('.badge').waitFor({ state: 'detached' })
  await ann.page.goBack()
  await sendMany(bob, 'ann', 120)
  await ann.contact('bob').getByText('120 unread messages').waitFor()

  // No longer a contact once everything is read, so it is opened by its name afterwards.
  await ann.open('bob')
  await ann.sees(/^message 1\n/)
  const line = ann.page.locator('.divider', { hasText: 'Unread messages' })
  t.true(await line.isVisible())
  const next = line.locator('xpath=following-sibling::li[1]')
  t.true((await next.textContent())?.includes('message 1'))
  await bob.send('ann', 'one more')
  await ann.press('To the newest message')
  await ann.sees('one more')
  await ann.page.locator('.badge').waitFor({ state: 'detached' })
  t.is(await line.count(), 1)
})

testInBrowser('a message that Bob recalls disappears', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'stays')
  const { id } = await bob.send('ann', 'by mistake')
  await ann.open('bob')
  await ann.sees('by mistake')
  await bob.recall(id)
  await ann.messages('by mistake').waitFor({ state: 'detached' })
  t.deepEqual(await ann.texts(), ['stays'])

  await ann.say('mine')
  await ann.messages('mine').hover()
  await ann.press('Message actions', ann.messages('mine'))
  await ann.page.getByRole('menuitem', { name: 'Recall' }).click()
  await ann.messages('mine').waitFor({ state: 'detached' })
  t.deepEqual(
    (await bob.history('ann')).messages.map(({ text }) => text),
    ['stays'],
  )
})

testInBrowser('Ann sees that Bob has read her message', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await ann.say('read me')
  await ann.messages('read me').locator('.receipt', { hasText: 'Delivered' }).waitFor()
  const [message] = (await bob.inbox()).messages
  if (message !== undefined) await bob.acknowledge(message)
  await ann.messages('read me').locator('.receipt', { hasText: 'Read' }).waitFor()
  t.is(message?.text, 'read me')
})

testInBrowser('Ann finds a message by a word of it, and drafts stay where they were written', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'the meeting is at noon')
  await bob.send('ann', 'bring the papers')
  await ann.open('bob')
  await ann.sees('bring the papers')
  await ann.input.fill('half a sentence')
  await ann.press('Search this conversation')
  await ann.dialog.getByLabel('Text').fill('NOON')
  await ann.press('Search', ann.dialog)
  await ann.dialog.getByText('1 message found').waitFor()
  await ann.dialog.getByText('the meeting is at noon').click()
  await ann.dialog.waitFor({ state: 'detached' })
  await ann.openUser('carl')
  t.is(await ann.input.inputValue(), '')
  await ann.openUser('bob')
  t.is(await ann.input.inputValue(), 'half a sentence')
})
