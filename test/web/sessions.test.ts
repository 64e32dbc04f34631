import { openStage } from '../support/browser/stage.ts'
import { openPage, testInBrowser } from '../support/browser.ts'
import { startLocalServer } from '../support/server.ts'

testInBrowser(
  'two tabs are one session: both show what one sends and hears, and closing one keeps the other',
  async (t) => {
    const { server, web, person } = await openStage(t)
    const bob = await server.user('bob')
    const first = await person('ann')
    await first.openUser('bob')
    const second = first.in(await openPage(t, first.context, first.page.url()))
    await second.input.waitFor()
    t.is(web.connections, 1)

    await first.say('from the first tab')
    await second.sees('from the first tab')
    await bob.send('ann', 'to both')
    await first.sees('to both')
    await second.sees('to both')

    await first.page.close()
    await second.say('still here')
    await second.sees('still here')
    t.is(web.connections, 1)
    t.deepEqual(await second.texts(), ['from the first tab', 'to both', 'still here'])
  },
)

testInBrowser('without shared workers each tab has a session of its own', async (t) => {
  const { web, browser } = await openStage(t)
  const context = await browser.newContext()
  await context.addInitScript('delete globalThis.SharedWorker')
  const [one, other] = [await openPage(t, context, web.url), await openPage(t, context, web.url)]
  const { Person } = await import('../support/browser/person.ts')
  const ann = new Person('ann', one)
  await ann.register()
  const again = ann.in(other)
  await again.logIn()
  t.is(web.connections, 2)
  await ann.openUser('ann')
  await ann.say('note')
  await ann.sees('note')
})

testInBrowser('a server with another key is refused until the user confirms the key', async (t) => {
  const { web, person } = await openStage(t)
  const ann = await person('ann')
  const impostor = await startLocalServer(t)
  web.server = impostor.server
  web.cut()
  await ann.page.getByRole('heading', { name: 'The server shows another key' }).waitFor()
  t.true((await ann.page.locator('.keys').textContent())?.includes(impostor.server.fingerprint))
  t.is(await ann.page.getByLabel('Password').count(), 0)
  t.true(await ann.page.getByRole('button', { name: 'Trust the new key' }).isDisabled())
  await ann.page.getByLabel('The operator has confirmed the new key').check()
  await ann.press('Trust the new key')
  await ann.page.getByText(impostor.server.fingerprint).waitFor()
})

testInBrowser('the server restarts under the open page: nothing is lost', async (t) => {
  const { server, web, person } = await openStage(t)
  const ann = await person('ann')
  await ann.openUser('bob')
  await (await server.user('bob')).close()
  await ann.say('before')
  await ann.sees('before')
  await server.close()
  await ann.contacts.getByText('No connection').waitFor()
  await ann.say('meanwhile')
  const again = await startLocalServer(t, { data: server.data })
  web.server = again.server
  await ann.contacts.getByText('No connection').waitFor({ state: 'detached' })
  await ann.page.locator('.unsent').waitFor({ state: 'detached' })
  await ann.say('after')
  await ann.sees('after')
  t.deepEqual(await ann.texts(), ['before', 'meanwhile', 'after'])
})

testInBrowser('wrong passwords, taken names and an unreachable server are explained', async (t) => {
  const { server, web, visitor } = await openStage(t)
  await server.user('ann')
  const ann = await visitor('ann')
  await ann.page.getByLabel('User name').fill('ann')
  await ann.page.getByLabel('Password').fill('wrong')
  await ann.press('Log in')
  await ann.page.getByText('Wrong user name or password.').waitFor()
  await ann.press('Create an account')
  await ann.page.getByLabel('User name').fill('ann')
  await ann.page.getByLabel('Password').fill('something')
  await ann.press('Create account')
  await ann.page.getByText('This user name is taken.').waitFor()
  web.block(true)
  await ann.page.close()
  const again = ann.in(await openPage(t, ann.context, web.url))
  await again.page.getByText('The server cannot be reached.').waitFor()
  web.block(false)
  await again.press('Try again')
  await again.page.getByRole('button', { name: 'Log in' }).waitFor()
  t.is(await again.page.getByLabel('User name').inputValue(), '')
})

testInBrowser('the page opens without a server once it was opened with it', async (t) => {
  const { web, visitor } = await openStage(t)
  const ann = await visitor('ann')
  await ann.page.evaluate('navigator.serviceWorker.ready.then(() => undefined)')
  web.stop()
  await ann.page.reload()
  await ann.page.getByText('The server cannot be reached.').waitFor()
  t.is(ann.page.url(), web.url)
})
