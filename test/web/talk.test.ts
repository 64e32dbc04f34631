import { AddFriend, ConfirmFriendRequest, OnNewMessage } from '../../client/index.ts'
import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'
import { nextPush } from '../support/requests.ts'

testInBrowser('Ann registers in the page, and she and Bob, who is on TCP, write to each other', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  await bob.receive()
  const ann = await person('ann')

  await ann.openUser('bob')
  const heard = nextPush(bob, OnNewMessage)
  await ann.say('hello Bob')
  t.like((await heard).messages[0], { from: 'ann', text: 'hello Bob' })
  await ann.sees('hello Bob')
  t.is(await ann.page.locator('.unsent').count(), 0)

  await bob.send('ann', 'hello Ann')
  await ann.sees('hello Ann')
  t.deepEqual(await ann.texts(), ['hello Bob', 'hello Ann'])
})

testInBrowser('Ann accepts a friend request in the page; the friend is in her contact list, and online', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')

  await bob.request(AddFriend, { user: 'ann', note: 'from work' })
  await ann.page.getByRole('button', { name: '1 request is waiting' }).click()
  await ann.dialog.getByText('from work').waitFor()
  await ann.press('Accept the request of bob')
  await ann.dialog.getByText('There are no requests.').waitFor()
  await ann.press('Close', ann.dialog)
  await ann.contact('bob').getByText('online').waitFor()
  t.is(await ann.page.getByRole('alert').filter({ hasText: /./ }).count(), 0)
})

testInBrowser('Ann asks Bob in the page; his answer makes him a contact, who is offline once he leaves', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')

  await ann.press('Add a friend')
  await ann.page.getByLabel('User name').fill('bob')
  await ann.page.getByLabel('Note').fill('it is Ann')
  await ann.press('Send request')
  await ann.dialog.waitFor({ state: 'detached' })
  await bob.request(ConfirmFriendRequest, { user: 'ann', accept: true })
  await ann.contact('bob').getByText('online').waitFor()
  await bob.close()
  await ann.contact('bob').getByText('offline').waitFor()

  await ann.press('Add a friend')
  await ann.page.getByLabel('User name').fill('nobody')
  await ann.press('Send request')
  await ann.dialog.getByText('This user does not exist.').waitFor()
  t.is(await ann.contacts.locator('.contact').count(), 1)
})
