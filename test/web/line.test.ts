import { Buffer } from 'node:buffer'
import { startMortalChromium } from '../support/browser/chromium.ts'
import { Person } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { openPage, testInBrowser } from '../support/browser.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** Cuts the page off its server, and writes a message there that stays unsent. */
async function writesOffline(person: Person, web: Awaited<ReturnType<typeof openStage>>['web'], text: string) {
  web.block(true)
  await person.contacts.getByText('No connection').waitFor()
  await person.say(text)
  await person.page.locator('.unsent', { hasText: text }).waitFor()
}

testInBrowser('the line is cut while Ann sends: her message is stored once', async (t) => {
  const { server, web, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')

  web.block(true)
  await ann.contacts.getByText('No connection').waitFor()
  await ann.say('one')
  await ann.say('two')
  await ann.page.locator('.unsent', { hasText: 'two' }).waitFor()
  web.block(false)
  await ann.sees('two')
  await ann.page.locator('.unsent').first().waitFor({ state: 'detached' })
  web.cut()
  await ann.say('three')
  await ann.sees('three')
  t.deepEqual(await ann.texts(), ['one', 'two', 'three'])
  t.deepEqual(
    (await bob.history('ann')).messages.map(({ text }) => text),
    ['one', 'two', 'three'],
  )
})

testInBrowser('the browser ends with an unsent message: it is sent once after the next start', async (t) => {
  const { server, web, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await writesOffline(ann, web, 'survives')
  // The worker ends with its last tab.
  await ann.page.close()
  web.block(false)

  const again = ann.in(await openPage(t, ann.context, web.url))
  // The browser logs in with its own key.
  await again.contacts.waitFor()
  await again.openUser('bob')
  await again.sees('survives')
  t.deepEqual(
    (await bob.history('ann')).messages.map(({ text }) => text),
    ['survives'],
  )
})

testInBrowser(
  'the browser is killed with an unsent message and a file: they are sent once after the restart',
  async (t) => {
    const { server, web } = await openStage(t)
    const [bob, annElsewhere] = [await server.user('bob'), await server.user('ann')]
    await annElsewhere.close()
    const profile = await tempFolder(t)
    const start = async () => {
      const browser = await startMortalChromium(profile)
      t.teardown(browser.kill)
      const page = await openPage(t, browser.context, web.url)
      return { ann: new Person('ann', page), kill: browser.kill }
    }
    const { ann, kill } = await start()
    await ann.logIn()
    await ann.openUser('bob')
    web.block(true)
    await ann.contacts.getByText('No connection').waitFor()
    await ann.say('survives')
    await ann.page
      .locator('input[type=file]')
      .first()
      .setInputFiles({ name: 'f.txt', mimeType: '', buffer: Buffer.from('kept') })
    await ann.press('Send')
    await ann.page.locator('.unsent', { hasText: 'f.txt' }).waitFor()
    await kill()
    web.block(false)

    const { ann: again } = await start()
    await again.contacts.waitFor()
    await again.openUser('bob')
    await again.messages().nth(1).waitFor()
    const stored = (await bob.history('ann')).messages.map(({ text, file }) => `${text}: ${file?.size ?? 'no file'}`)
    t.deepEqual(stored.sort(), ['f.txt (4 B): 4', 'survives: no file'])
  },
)

testInBrowser('a page that opens without a server logs in and sends what was left, once there is one', async (t) => {
  const { server, web, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await writesOffline(ann, web, 'left behind')
  await ann.page.close()

  const again = ann.in(await openPage(t, ann.context, web.url))
  await again.page.getByText('The server cannot be reached.').waitFor()
  await again.press('Try again')
  await again.page.getByText('The server cannot be reached.').waitFor()
  web.block(false)
  await again.contacts.waitFor()
  await again.openUser('bob')
  await again.sees('left behind')
  t.is((await bob.history('ann')).messages.length, 1)
})

testInBrowser('messages read elsewhere while the page was offline are there, once, and not unread', async (t) => {
  const { server, web, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const elsewhere = await server.connect()
  await elsewhere.login('ann', { password: "ann's password" })
  await bob.send('ann', 'before')
  await ann.open('bob')
  await ann.sees('before')

  web.block(true)
  await ann.contacts.getByText('No connection').waitFor()
  let last = 0
  for (let n = 1; n <= 30; n++) last = (await bob.send('ann', `message ${n}`)).id
  await elsewhere.acknowledge({ from: 'bob', id: last })
  web.block(false)

  await ann.sees('message 30')
  t.deepEqual(await ann.texts(), ['before', ...Array.from({ length: 30 }, (_, n) => `message ${n + 1}`)])
  await ann.contacts.getByText('No connection').waitFor({ state: 'detached' })
  t.is(await ann.page.title(), 'chatctl')
})

testInBrowser('a message that was recalled while the page was offline is gone, on whatever page it is', async (t) => {
  const { server, web, person } = await openStage(t, { limits: { requestRate: 1000 } })
  const bob = await server.user('bob')
  const ann = await person('ann')
  const { id } = await bob.send('ann', 'by mistake')
  for (let n = 1; n <= 70; n++) await bob.send('ann', `message ${n}`)
  await ann.open('bob')
  await ann.sees('by mistake')
  web.block(true)
  await ann.contacts.getByText('No connection').waitFor()
  await bob.recall(id)
  await bob.send('ann', 'so much for that')
  web.block(false)
  await ann.sees('so much for that')
  await ann.messages('by mistake').waitFor({ state: 'detached' })
  t.is(await ann.messages(/^message 1$/).count(), 1)
})

testInBrowser('a tab in the background leaves messages unread until it is looked at', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'seen')
  await ann.open('bob')
  await ann.sees('seen')
  await ann.contact('bob').locator('.badge').waitFor({ state: 'detached' })

  await ann.blur()
  await bob.send('ann', 'not seen')
  await ann.sees('not seen')
  await ann.contact('bob').getByText('1 unread message').waitFor()
  t.is((await bob.history('ann')).messages.at(-1)?.unread, true)
  await ann.focus()
  await ann.contact('bob').locator('.badge').waitFor({ state: 'detached' })
})

testInBrowser('more messages arrive than the server pushes unacknowledged: all are shown as they come', async (t) => {
  const { server, person } = await openStage(t, { limits: { requestRate: 1000 } })
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await ann.blur()
  for (let n = 1; n <= 160; n++) await bob.send('ann', `message ${n}`)
  await ann.sees(/^message 160$/)
  t.deepEqual(
    await ann.texts(),
    Array.from({ length: 160 }, (_, n) => `message ${n + 1}`),
  )
})
