import { AddFriend, CreateRoom, InviteToRoom, JoinRoom } from '../../client/index.ts'
import { checkScreen } from '../support/browser/axe.ts'
import { befriend, openStage, type Stage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

/** Bob and Carl are friends of Ann; there are messages, unread ones, a group, a request and an invitation. */
async function populate({ server }: Stage) {
  const [ann, bob, carl] = [await server.user('ann'), await server.user('bob'), await server.user('carl')]
  await befriend(ann, bob, ['ann', 'bob'])
  await carl.request(AddFriend, { user: 'ann', note: 'hello' })
  await ann.request(CreateRoom, { group: 'friends' })
  await bob.request(JoinRoom, { group: 'friends' })
  await carl.request(CreateRoom, { group: 'secret', open: false })
  const { id } = await ann.send('bob', 'how are you?')
  await bob.react(id, '\u{1f44d}')
  await bob.send('ann', 'fine: https://example.com/', { replyTo: id, style: { color: '#ffff00', fontSize: 14 } })
  await bob.send({ group: 'friends' }, 'hello group')
  return { ann, bob, carl }
}

for (const colorScheme of ['light', 'dark'] as const) {
  testInBrowser(`no screen breaks a rule of axe, ${colorScheme}`, async (t) => {
    const stage = await openStage(t)
    const { carl } = await populate(stage)
    const ann = await stage.visitor('ann', { colorScheme })
    await ann.page.getByRole('button', { name: 'Log in' }).waitFor()
    await checkScreen(t, ann, 'login')
    await ann.press('Create an account')
    await checkScreen(t, ann, 'register')
    await ann.press('I already have an account')
    await ann.logIn()
    await ann.contact('friends').waitFor()
    await checkScreen(t, ann, 'contacts')
    await ann.open('bob')
    await ann.sees('fine')
    await ann.press('Font and colour')
    await checkScreen(t, ann, 'chat')
    await ann.press('Emoji')
    await ann.page.getByRole('button', { name: 'grinning face', exact: true }).waitFor()
    await checkScreen(t, ann, 'emoji')
    await ann.page.keyboard.press('Escape')
    await ann.open('friends')
    await ann.press('Members')
    await ann.page.getByText('2 members').waitFor()
    await ann.page.getByRole('button', { name: 'Actions for bob' }).click()
    await carl.request(InviteToRoom, { group: 'secret', user: 'ann' })
    await checkScreen(t, ann, 'members')
    await ann.page.keyboard.press('Escape')
    for (const name of [
      '2 requests are waiting',
      'My profile',
      'Add a friend',
      'Create or join a group',
      'Search messages',
      'Settings',
    ]) {
      await ann.press(name)
      await ann.dialog.waitFor()
      await checkScreen(t, ann, name)
      await ann.page.keyboard.press('Escape')
      await ann.dialog.waitFor({ state: 'detached' })
    }
  })
}

testInBrowser('forced colours: what colours tell is told by borders and outlines', async (t) => {
  const stage = await openStage(t)
  const { bob } = await populate(stage)
  const ann = await stage.visitor('ann', { colorScheme: 'dark', forcedColors: 'active' })
  await ann.logIn()
  await bob.send({ group: 'friends' }, 'unread')
  await ann.contact('friends').locator('.badge').waitFor()
  await ann.open('bob')
  await ann.sees('fine')
  await checkScreen(t, ann, 'chat')
  await ann.page.screenshot({ path: 'dist/screenshots/forced-colours.png' })
  const style = (selector: string, property: string) =>
    ann.page.evaluate(`getComputedStyle(document.querySelector('${selector}')).${property}`)
  for (const selector of ['.badge', '.bubble', '.presence.is-online'])
    t.is(await style(selector, 'borderTopStyle'), 'solid')
  t.is(await style('.contact[aria-current="true"]', 'outlineStyle'), 'solid')
  // The sender's yellow would not be seen on a light background that the user has chosen.
  t.is(await style('.text', 'color'), await style('body', 'color'))
  await ann.press('More actions')
  await checkScreen(t, ann, 'menu')
  await ann.page.keyboard.press('Escape')
  await ann.press('Settings')
  await ann.dialog.waitFor()
  await checkScreen(t, ann, 'settings')
})

testInBrowser('the whole tour by keyboard alone', async (t) => {
  const stage = await openStage(t)
  const { bob } = await populate(stage)
  const ann = await stage.visitor('ann')
  const { page } = ann
  const focused = () =>
    page.evaluate(`(() => {
      const { activeElement } = document
      if (activeElement === document.body) return ''
      return activeElement.getAttribute('aria-label') ?? activeElement.textContent
    })()`)
  const tabTo = async (name: string | RegExp) => {
    for (let presses = 0; presses < 60; presses++) {
      const now = String(await focused())
      if (typeof name === 'string' ? now === name : name.test(now)) return
      await page.keyboard.press('Tab')
    }
    t.fail(`the Tab key does not reach ${name}`)
  }
  await page.getByRole('button', { name: 'Log in' }).waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.type('ann')
  await page.keyboard.press('Tab')
  await page.keyboard.type("ann's password")
  await page.keyboard.press('Enter')
  await ann.contact('bob').waitFor()

  await tabTo(/fine/)
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowUp')
  await tabTo(/fine/)
  await page.keyboard.press('Enter')
  await ann.sees('fine')
  t.is(await focused(), 'Message')
  await page.keyboard.type('first line')
  await page.keyboard.press('Control+Enter')
  await page.keyboard.type('second line')
  await page.keyboard.press('Enter')
  await ann.sees('second line')
  t.is((await bob.history('ann')).messages.at(-1)?.text, 'first line\nsecond line')

  // Among the messages, and into the actions of one.
  for (const name of ['Font and colour', 'Emoji', 'Attach files', 'Message actions']) {
    await page.keyboard.press('Shift+Tab')
    t.is(await focused(), name)
  }
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Copy text' }).waitFor()
  // From the first action to the last: to recall.
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await ann.messages('second line').waitFor({ state: 'detached' })

  await tabTo('Emoji')
  await page.keyboard.press('Enter')
  await page.getByRole('searchbox', { name: 'Search emoji' }).waitFor()
  await page.keyboard.type('red heart')
  await tabTo('red heart')
  await page.keyboard.press('Enter')
  t.is(await ann.input.inputValue(), '\u2764\ufe0f')

  await page.keyboard.press('Shift+Tab')
  await tabTo('1 request is waiting')
  await page.keyboard.press('Enter')
  await ann.dialog.waitFor()
  await tabTo('Accept the request of carl')
  await page.keyboard.press('Enter')
  await ann.contact('carl').waitFor()
  await page.keyboard.press('Escape')
  await ann.dialog.waitFor({ state: 'detached' })
  t.is(await focused(), 'Requests')
})

testInBrowser('a new message is announced once, history never', async (t) => {
  const stage = await openStage(t)
  const { bob } = await populate(stage)
  const ann = await stage.visitor('ann')
  await ann.logIn()
  await ann.page.evaluate(`(() => {
    globalThis.spoken = []
    const note = () => live.textContent !== '' && spoken.push(live.textContent)
    const live = document.querySelector('[aria-live]')
    new MutationObserver(note).observe(live, { childList: true, characterData: true, subtree: true })
  })()`)
  await ann.open('bob')
  await ann.sees('fine')
  await bob.send('ann', 'one')
  await ann.sees('one')
  await ann.say('my own')
  await ann.sees('my own')
  await bob.send('ann', 'two')
  await ann.sees('two')
  t.deepEqual(await ann.page.evaluate('spoken'), ['bob: one', 'bob: two'])
})

testInBrowser('320 px are enough, and 200 % of zoom', async (t) => {
  const stage = await openStage(t)
  const { bob } = await populate(stage)
  await bob.send('ann', 'unbroken'.repeat(60))
  const ann = await stage.visitor('ann', { viewport: { width: 320, height: 560 } })
  const sideways = () =>
    ann.page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  await ann.page.getByRole('button', { name: 'Log in' }).waitFor()
  t.is(await sideways(), 0)
  await ann.logIn()
  await ann.contact('bob').waitFor()
  t.is(await sideways(), 0)
  await ann.open('bob')
  await ann.sees('unbroken')
  t.is(await sideways(), 0)
  t.false(await ann.contacts.isVisible())
  await ann.press('Font and colour')
  await ann.press('Emoji')
  await ann.page.getByRole('button', { name: 'grinning face', exact: true }).waitFor()
  t.is(await sideways(), 0)
  await ann.page.keyboard.press('Escape')
  await ann.press('Back to the contacts')
  for (const name of ['1 request is waiting', 'Settings', 'Create or join a group']) {
    await ann.press(name)
    await ann.dialog.waitFor()
    const fits = 'document.querySelector("dialog").scrollWidth <= document.querySelector("dialog").clientWidth'
    t.true(await ann.page.evaluate(fits), name)
    await ann.page.keyboard.press('Escape')
  }

  // 1280 by 720 at 200 %.
  await ann.page.setViewportSize({ width: 640, height: 360 })
  await ann.open('bob')
  t.is(await sideways(), 0)
  const line = await ann.input.boundingBox()
  t.true(line !== null && line.y + line.height <= 360)
})
