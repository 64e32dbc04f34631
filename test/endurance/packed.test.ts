import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Browser } from 'playwright-core'
import { Person } from '../support/browser/person.ts'
import { launchBrowser, openPage, testInBrowser } from '../support/browser.ts'
import { isLong, MINUTES } from '../support/endurance/rounds.ts'
import { installPacked } from '../support/processes/packed.ts'
import { openShell } from '../support/processes/shell.ts'

/** Somebody with a browser of their own, in which nothing may fail, and which may ask nobody but the server. */
async function visit(t: ExecutionContext, browser: Browser, url: string, name: string): Promise<Person> {
  const context = await browser.newContext()
  const { host } = new URL(url)
  context.on('console', (message) => {
    // What the policy blocks is an error here, too.
    if (message.type() === 'error') t.fail(`console of ${name}: ${message.text()}`)
  })
  context.on('request', (request) => {
    const { protocol, host: asked } = new URL(request.url())
    t.true(protocol === 'data:' || asked === host, request.url())
  })
  context.on('response', (response) => t.true(response.status() < 400, `${response.status()} ${response.url()}`))
  return new Person(name, await openPage(t, context, url))
}

testInBrowser('the package alone, in an empty folder: two people register in the page and talk', async (t) => {
  t.timeout(10 * MINUTES)
  const outside = await openShell(t)
  const main = await installPacked({ folder: join(outside.folder, 'empty'), isInstalled: isLong })
  const shell = await openShell(t, main)
  // The server's defaults: nothing is set for it.
  const room = await shell.serve(['--http', '127.0.0.1:0'], { env: { CHATCTL_OPTIONS: '{}' } })
  const url = `${room.listening.http}/`
  const browser = await launchBrowser(t)

  const [ann, bob] = [await visit(t, browser, url, 'ann'), await visit(t, browser, url, 'bob')]
  await ann.register()
  await bob.register('小宝')
  await ann.press('Add a friend')
  await ann.page.getByLabel('User name').fill('bob')
  await ann.press('Send request')
  await bob.press('1 request is waiting')
  await bob.press('Accept the request of ann')
  await bob.press('Close', bob.dialog)

  await ann.open('bob')
  await ann.say('hello 小宝')
  await bob.open('ann')
  await bob.sees('hello 小宝')
  await bob.say('hello Ann')
  await ann.sees('hello Ann')
  t.deepEqual(await ann.texts(), ['hello 小宝', 'hello Ann'])
  t.deepEqual(await bob.texts(), ['hello 小宝', 'hello Ann'])

  // What is loaded on demand, and a second start with what the service worker has kept.
  await ann.press('Emoji')
  await ann.page.getByRole('button', { name: 'grinning face', exact: true }).waitFor()
  await ann.page.reload()
  await ann.sees('hello Ann')
  t.is((await room.stop()).code, 0)
})
