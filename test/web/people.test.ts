import { Buffer } from 'node:buffer'
import sharp from 'sharp'
import {
  CreateRoom,
  DissolveRoom,
  InviteToRoom,
  JoinRoom,
  ProfileChanged,
  SetProfile,
  Typing,
  UserTyping,
} from '../../client/index.ts'
import type { Person } from '../support/browser/person.ts'
import { befriend, openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'
import { PLACE, photo } from '../support/files/pictures.ts'
import { nextPush } from '../support/requests.ts'

testInBrowser('Ann dresses up and writes about herself; Bob sees it, in his page and by the protocol', async (t) => {
  const { server, visitor } = await openStage(t)
  const [annElsewhere, bobElsewhere] = [await server.user('ann'), await server.user('bob')]
  await befriend(annElsewhere, bobElsewhere, ['ann', 'bob'])
  const [ann, bob] = [await visitor('ann'), await visitor('bob')]
  await ann.logIn()
  await bob.logIn()
  const before = await bob.contact('ann').locator('.avatar img').getAttribute('src')

  await ann.press('My profile')
  await ann.dialog.getByLabel('Hat', { exact: true }).fill('3')
  await ann.dialog.getByLabel('Clothes', { exact: true }).fill('7')
  await ann.dialog.getByLabel('About me').fill('I read a lot')
  await ann.page.screenshot({ path: 'dist/screenshots/dress.png' })
  const told = nextPush(bobElsewhere, ProfileChanged)
  await ann.press('Save', ann.dialog)
  t.like(await told, { user: 'ann', about: 'I read a lot', avatar: '{"hat":3,"clothing":7}' })

  await bob.open('ann')
  await bob.press('More actions')
  await bob.page.getByRole('menuitem', { name: 'Show profile' }).click()
  await bob.dialog.getByText('I read a lot').waitFor()
  t.not(await bob.contact('ann').locator('.avatar img').getAttribute('src'), before)
})

testInBrowser('Ann’s avatar is a picture of hers, until she dresses up again', async (t) => {
  const { server, visitor } = await openStage(t)
  const [annElsewhere, bobElsewhere] = [await server.user('ann'), await server.user('bob')]
  await befriend(annElsewhere, bobElsewhere, ['ann', 'bob'])
  const [ann, bob] = [await visitor('ann'), await visitor('bob')]
  await ann.logIn()
  await bob.logIn()
  await ann.press('My profile')
  const picture = { name: 'me.jpg', mimeType: 'image/jpeg', buffer: await photo('jpeg', 900, 600) }
  await ann.dialog.getByLabel('Use a picture').setInputFiles(picture)
  const shown = (person: Person) => person.page.locator('img[src^="data:image/webp"]')
  await shown(ann).waitFor()
  await ann.page.screenshot({ path: 'dist/screenshots/avatar-picture.png' })
  const told = nextPush(bobElsewhere, ProfileChanged)
  await ann.press('Save', ann.dialog)
  const { avatar } = await told
  const bytes = Buffer.from(JSON.parse(avatar).picture, 'base64')
  t.like(await sharp(bytes).metadata(), { format: 'webp', width: 64, height: 64 })
  t.false(bytes.includes(PLACE))
  await shown(bob).waitFor()

  await ann.press('My profile')
  await ann.dialog.getByLabel('Hat', { exact: true }).fill('3')
  await ann.press('Save', ann.dialog)
  await shown(bob).waitFor({ state: 'detached' })
})

testInBrowser('an avatar that is no choice of parts changes nothing', async (t) => {
  const { server, person } = await openStage(t)
  const [bob, carl] = [await server.user('bob'), await server.user('carl')]
  const avatar = JSON.stringify({
    hat: 999,
    hair: '<svg onload=1>',
    clothing: -1,
    seed: 'x',
    backgroundColor: ['url(//evil.example)'],
    picture: 'AAAA"><svg onload=1>',
  })
  await bob.request(SetProfile, { avatar, about: '<b>bold</b>' })
  const ann = await person('ann')
  await bob.send('ann', 'hi')
  await carl.send('ann', 'hi')
  const src = (await ann.contact('bob').locator('.avatar img').getAttribute('src')) ?? ''
  t.true(src.startsWith('data:image/svg+xml,'))
  t.notRegex(decodeURIComponent(src), /evil|onload/)
  await ann.open('bob')
  await ann.press('More actions')
  await ann.page.getByRole('menuitem', { name: 'Show profile' }).click()
  await ann.dialog.getByText('<b>bold</b>').waitFor()
})

testInBrowser('invitations from while Ann was away are listed; she joins one group and declines another', async (t) => {
  const { server, visitor } = await openStage(t)
  const [bob, annElsewhere] = [await server.user('bob'), await server.user('ann')]
  for (const group of ['readers', 'writers', 'gone']) {
    await bob.request(CreateRoom, { group, open: false })
    await bob.request(InviteToRoom, { group, user: 'ann' })
  }
  const ann = await visitor('ann')
  await ann.logIn()
  await ann.press('3 requests are waiting')
  t.is(await ann.dialog.getByText('Invited by bob').count(), 3)
  await ann.press('Decline the invitation to writers')
  await ann.dialog.getByText('writers').waitFor({ state: 'detached' })
  await ann.press('Join group readers')
  await ann.dialog.getByText('readers').waitFor({ state: 'detached' })
  // One that was withdrawn without a notice.
  await bob.request(DissolveRoom, { group: 'gone' })
  await ann.press('Join group gone')
  await ann.dialog.getByText('There are no requests.').waitFor()
  await ann.press('Close', ann.dialog)
  await ann.contact('readers').waitFor()

  await bob.request(InviteToRoom, { group: 'writers', user: 'ann' })
  await ann.page.getByRole('button', { name: '1 request is waiting' }).waitFor()
  await annElsewhere.request(JoinRoom, { group: 'writers' })
  await ann.contact('writers').waitFor()
  await ann.page.getByRole('button', { name: '1 request is waiting' }).waitFor({ state: 'detached' })
  t.is(await ann.contacts.locator('.contact').count(), 2)
})

testInBrowser('Ann sees that Bob is writing, until his message comes; Bob is told of Ann', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  await bob.receive()
  const ann = await person('ann')
  await ann.openUser('bob')
  await bob.request(Typing, { to: 'ann' })
  await ann.page.getByText('bob is writing').waitFor()
  await bob.send('ann', 'done')
  await ann.sees('done')
  t.is(await ann.page.getByText('bob is writing').count(), 0)

  const told = nextPush(bob, UserTyping)
  await ann.input.fill('I am wr')
  t.like(await told, { from: 'ann', state: true })
})
