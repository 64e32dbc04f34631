import { mkdirSync } from 'node:fs'
import { AddFriend, FriendList } from '../../client/index.ts'
import { type Person, passwordOf } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

/** Pictures of the scenes, for people who look at a run. */
const PICTURES = 'dist/screenshots'

mkdirSync(PICTURES, { recursive: true })

const picture = ({ page }: Person, name: string) => page.screenshot({ path: `${PICTURES}/${name}.png` })

testInBrowser('friends: asked, accepted, in the list with unread messages in colour, deleted', async (t) => {
  const { server, person } = await openStage(t)
  const [ann, bob] = [await person('ann'), await person('bob')]
  await ann.press('Add a friend')
  await ann.page.getByLabel('User name').fill('bob')
  await ann.page.getByLabel('Note').fill('it is Ann')
  await picture(ann, 'friend-add')
  await ann.press('Send request')
  await ann.dialog.waitFor({ state: 'detached' })

  await bob.press('1 request is waiting')
  await bob.dialog.getByText('it is Ann').waitFor()
  await picture(bob, 'friend-request')
  await bob.press('Accept the request of ann')
  await bob.page.keyboard.press('Escape')
  await bob.contact('ann').getByText('online').waitFor()

  await bob.open('ann')
  await bob.say('are you there?')
  await ann.contact('bob').getByText('1 unread message').waitFor()
  const colour = (row: string) =>
    ann.page.evaluate(`getComputedStyle(document.querySelector('${row}')).color`) as Promise<string>
  t.not(await colour('.has-unread .name'), await colour('h1.name'))
  await picture(ann, 'contacts')

  await ann.open('bob')
  await ann.press('More actions')
  await ann.page.getByRole('menuitem', { name: 'Remove friend' }).click()
  await picture(ann, 'friend-delete')
  await ann.press('Remove friend', ann.dialog)
  await ann.dialog.waitFor({ state: 'detached' })
  await ann.contact('bob').waitFor({ state: 'detached' })
  await bob.contact('ann').waitFor({ state: 'detached' })
  const elsewhere = await server.connect()
  await elsewhere.login('ann', { password: passwordOf('ann') })
  const { friends } = await elsewhere.request(FriendList, {})
  t.deepEqual(friends, [])
})

testInBrowser('a group: created, joined, its members, roles, a message to all, left', async (t) => {
  const { person } = await openStage(t)
  const [ann, bob] = [await person('ann'), await person('bob')]
  await ann.press('Create or join a group')
  await ann.dialog.getByLabel('Name of the group').first().fill('readers')
  await picture(ann, 'group-new')
  await ann.press('Create group', ann.dialog)
  await ann.input.waitFor()
  await bob.press('Create or join a group')
  await bob.dialog.getByLabel('Name of the group').last().fill('readers')
  await bob.press('Join group', bob.dialog)
  await bob.dialog.waitFor({ state: 'detached' })
  await bob.open('readers')
  await bob.say('which book?')
  await ann.sees('which book?')

  await ann.press('Members')
  await ann.page.getByText('2 members').waitFor()
  await ann.press('Actions for bob')
  await ann.page.getByRole('menuitem', { name: 'Make admin' }).click()
  await ann.page.locator('.member', { hasText: '@bob · admin' }).waitFor()
  await picture(ann, 'group-members')
  await ann.press('Actions for bob')
  await ann.page.getByRole('menuitem', { name: 'Write a message' }).click()
  await ann.page.getByRole('heading', { name: 'bob' }).waitFor()
  await ann.say('only for you')
  await bob.contact('ann').getByText('1 unread message').waitFor()

  await bob.press('More actions')
  await bob.page.getByRole('menuitem', { name: 'Leave group' }).click()
  await bob.contact('readers').waitFor({ state: 'detached' })
  t.is(await ann.contact('readers').count(), 1)
})

testInBrowser('unread messages from while Ann was away, several lines, fonts and colours', async (t) => {
  const { server, visitor } = await openStage(t)
  const [bob, elsewhere] = [await server.user('bob'), await server.user('ann')]
  await bob.request(AddFriend, { user: 'ann' })
  await elsewhere.close()
  await bob.send('ann', 'while you were away\nin two lines')
  await bob.send('ann', '楷体', { style: { font: 'KaiTi', fontSize: 20, color: '#c02020' } })

  const ann = await visitor('ann', { locale: 'zh-CN', colorScheme: 'dark' })
  await ann.logIn()
  await ann.contact('bob').getByText('2 条未读消息').waitFor()
  await ann.open('bob')
  await ann.sees('楷体')
  await ann.page.getByText('以下为未读消息').waitFor()
  await picture(ann, 'offline-unread')

  await ann.press('字体与颜色')
  await ann.page.getByRole('combobox', { name: '字体' }).selectOption('SimHei')
  await ann.page.getByLabel('字号').selectOption('18')
  await ann.page.getByLabel('颜色', { exact: true }).fill('#00aa55')
  await ann.input.fill('第一行')
  await ann.input.press('Control+Enter')
  await ann.page.keyboard.type('第二行')
  await ann.page.keyboard.press('Enter')
  await ann.sees('第二行')
  await picture(ann, 'fonts')
  const sent = (await bob.history('ann')).messages.at(-1)
  t.is(sent?.text, '第一行\n第二行')
  t.deepEqual(sent?.style, { font: 'SimHei', fontSize: 18, color: '#00aa55' })
})

testInBrowser('a confirmation of an input method does not send; the other use of Enter can be chosen', async (t) => {
  const { person } = await openStage(t)
  const ann = await person('ann')
  await ann.openUser('bob')
  await ann.input.fill('ni hao')
  await ann.input.evaluate((input) => {
    const Key = (globalThis as unknown as { KeyboardEvent: new (type: string, init: object) => never }).KeyboardEvent
    input.dispatchEvent(new Key('keydown', { key: 'Enter', isComposing: true, bubbles: true }))
    input.dispatchEvent(new Key('keydown', { key: 'Enter', keyCode: 229, bubbles: true }))
  })
  t.is(await ann.input.inputValue(), 'ni hao')

  await ann.press('Settings')
  await ann.dialog.getByLabel('Enter sends the message').uncheck()
  await picture(ann, 'settings')
  await ann.page.keyboard.press('Escape')
  await ann.input.press('Enter')
  t.is(await ann.input.inputValue(), 'ni hao\n')
})

testInBrowser('a stranger stays in the list after the messages were read, until Ann blocks them', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'buy this')
  await ann.open('bob')
  await ann.sees('buy this')
  await ann.contact('bob').locator('.badge').waitFor({ state: 'detached' })
  t.is(await ann.contact('bob').count(), 1)

  await ann.press('More actions')
  await ann.page.getByRole('menuitem', { name: 'Block user' }).click()
  await ann.press('Block user', ann.dialog)
  await ann.contact('bob').waitFor({ state: 'detached' })
  await t.throwsAsync(() => bob.send('ann', 'again'), { message: 'this user has blocked you' })
  await ann.press('Settings')
  await ann.press('Unblock', ann.dialog)
  await ann.dialog.getByText('@bob').waitFor({ state: 'detached' })
  await bob.send('ann', 'sorry')
  await ann.contact('bob').getByText('1 unread message').waitFor()
})
