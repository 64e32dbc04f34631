import { EventEmitter, once } from 'node:events'
import type { BrowserContext, Page } from 'playwright-core'
import { Person } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { openPage, testInBrowser } from '../support/browser.ts'

/** Tells of a notification once the system shows it. */
const RECORDER = `globalThis.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options)
    globalThis.latest = this
    this.onshow = () => notified(title, options.body, options.tag)
  }
}`

/** Waits for the notifications that a tab shows, one after another. */
async function notificationsOf(context: BrowserContext) {
  const shown = new Map<Page, string[]>()
  const more = new EventEmitter()
  await context.exposeBinding('notified', ({ page }, ...notification: string[]) => {
    shown.set(page, [...(shown.get(page) ?? []), notification.join(' | ')])
    more.emit('shown')
  })
  await context.addInitScript(RECORDER)
  return async (page: Page, count: number) => {
    while ((shown.get(page)?.length ?? 0) < count) await once(more, 'shown')
    return shown.get(page)
  }
}

testInBrowser('a message is notified while no tab is looked at, without its text on request', async (t) => {
  const { server, web, browser } = await openStage(t)
  const context = await browser.newContext({ permissions: ['notifications'] })
  const notifications = await notificationsOf(context)
  const [bob, carl] = [await server.user('bob'), await server.user('carl')]
  await server.user('ann')
  const ann = new Person('ann', await openPage(t, context, web.url))
  await ann.logIn()
  await ann.press('Settings')
  await ann.dialog.getByLabel(/^Show notifications/).check()
  await ann.press('Close', ann.dialog)
  const other = ann.in(await openPage(t, context, web.url))
  await other.contacts.waitFor()

  // Ann looks at the first tab.
  await other.blur()
  await bob.send('ann', 'while she looks')
  for (const tab of [ann, other]) await tab.contact('bob').getByText('while she looks').waitFor()
  // The tabs have asked for the lock before.
  for (const { page } of [ann, other]) await page.evaluate('navigator.locks.query()')

  await ann.blur()
  await bob.send('ann', 'come here')
  for (const { page } of [ann, other]) t.deepEqual(await notifications(page, 1), ['bob | come here | @bob'])

  // The settings are those of all tabs.
  await ann.press('Settings')
  await ann.dialog.getByLabel('Hide the text in notifications').check()
  await ann.press('Close', ann.dialog)
  await carl.send('ann', 'a secret')
  t.deepEqual((await notifications(other.page, 2))?.at(-1), 'carl | New message | @carl')
  await other.page.evaluate("latest.dispatchEvent(new Event('click'))")
  await other.sees('a secret')
})
