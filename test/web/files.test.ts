import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import type { Client } from '../../client/index.ts'
import { checkScreen } from '../support/browser/axe.ts'
import type { Person } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { openPage, testInBrowser } from '../support/browser.ts'
import { drawing, PLACE, photo } from '../support/files/pictures.ts'

interface Given {
  readonly name: string
  readonly mimeType: string
  readonly buffer: Buffer
}

const jpeg = (name: string, buffer: Buffer): Given => ({ name, mimeType: 'image/jpeg', buffer })

const textFile = (name: string, content = `content of ${name}`): Given => ({
  name,
  mimeType: 'text/plain',
  buffer: Buffer.from(content),
})

/** Chooses files as the dialog of the system does. */
async function attach({ page }: Person, ...files: Given[]) {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: 'Attach files' }).click()
  await (await chooser).setFiles(files)
}

/** Content of the file of a message in a conversation, by its place. */
async function contentOf(client: Client, from: string, at: number): Promise<Buffer> {
  const file = (await client.history(from)).messages.at(at)?.file
  const parts: Uint8Array[] = []
  for await (const part of client.download(file?.id ?? 0)) parts.push(part)
  return Buffer.concat(parts)
}

/** Puts files on the page as the system does, by drag and drop or from the clipboard. */
const give = ({ page }: Person, how: 'drop' | 'paste', name: string) =>
  page.evaluate(`(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File(['content of ${name}'], '${name}', { type: 'text/plain' }))
    const options = { bubbles: true, cancelable: true }
    if ('${how}' === 'paste')
      return document.querySelector('textarea').dispatchEvent(
        new ClipboardEvent('paste', { ...options, clipboardData: transfer }))
    const target = document.querySelector('.messages')
    target.dispatchEvent(new DragEvent('dragover', { ...options, dataTransfer: transfer }))
    target.dispatchEvent(new DragEvent('drop', { ...options, dataTransfer: transfer }))
  })()`)

testInBrowser('Ann sends files: chosen, dropped and pasted, with a text; Bob saves one', async (t) => {
  const { server, person } = await openStage(t)
  const [ann, bob] = [await person('ann'), await person('bob')]
  const bobElsewhere = await server.connect()
  await bobElsewhere.login('bob', { password: "bob's password" })
  await ann.openUser('bob')
  await attach(ann, textFile('first.txt'), textFile('removed.txt'))
  await give(ann, 'drop', 'second.txt')
  await give(ann, 'paste', 'third.txt')
  await ann.press('Remove removed.txt')
  const staged = ann.page.getByRole('list', { name: 'Files to send' }).getByRole('listitem')
  t.deepEqual(await staged.locator('.file-name').allTextContents(), ['first.txt', 'second.txt', 'third.txt'])
  await ann.page.screenshot({ path: 'dist/screenshots/files-staged.png' })
  await ann.say('here they are')
  await ann.messages().nth(2).waitFor()
  t.is(await staged.count(), 0)

  const { messages } = await bobElsewhere.history('ann')
  t.deepEqual(
    messages.map(({ text, file }) => [text, file?.name, file?.size]),
    [
      ['here they are', 'first.txt', 20],
      ['second.txt (21 B)', 'second.txt', 21],
      ['third.txt (20 B)', 'third.txt', 20],
    ],
  )
  await bob.open('ann')
  await bob.page.getByText('first.txt').waitFor()
  t.deepEqual(await bob.texts(), ['here they are'])
  const saving = bob.page.waitForEvent('download')
  await bob.press('Download third.txt')
  const saved = await saving
  t.is(saved.suggestedFilename(), 'third.txt')
  t.is(await readFile(await saved.path(), 'utf8'), 'content of third.txt')
})

testInBrowser('a file on its way shows how far it is, does not hold up texts, and can be cancelled', async (t) => {
  // It takes more than a minute.
  const { server, person } = await openStage(t, { limits: { fileBytes: 256 * 1024, fileBurst: 64 * 1024 } })
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await attach(ann, textFile('large.bin', 'x'.repeat(20_000_000)))
  await ann.say('the large one')
  const row = ann.page.locator('.unsent', { hasText: 'large.bin' })
  await row.getByRole('progressbar', { name: 'Uploading large.bin' }).waitFor()
  await ann.page.screenshot({ path: 'dist/screenshots/files-upload.png' })
  await ann.say('meanwhile')
  await ann.sees('meanwhile')
  await ann.press('Cancel', row)
  await row.waitFor({ state: 'detached' })
  t.deepEqual(
    (await bob.history('ann')).messages.map(({ text }) => text),
    ['meanwhile'],
  )
  const elsewhere = await server.connect()
  await elsewhere.login('ann', { password: "ann's password" })
  // The server has nothing of it any more.
  while ((await elsewhere.fileUsage()).files > 0);
  t.is(await ann.page.getByRole('alert').filter({ hasText: /./ }).count(), 0)
})

testInBrowser('a file that is too large stays with the reason, until it is sent again or discarded', async (t) => {
  const { server, person } = await openStage(t, { limits: { fileSize: 1000 } })
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await attach(ann, textFile('huge.txt', 'x'.repeat(1001)))
  await ann.press('Send')
  const row = ann.page.locator('.unsent', { hasText: 'huge.txt' })
  await row.getByText('The file is too large.').waitFor()
  await ann.press('Send again', row)
  await row.getByText('The file is too large.').waitFor()
  await ann.press('Discard', row)
  await row.waitFor({ state: 'detached' })
  t.is((await bob.history('ann')).messages.length, 0)
})

testInBrowser('a file that was not sent survives the end of the browser and is sent once', async (t) => {
  const { server, web, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  web.block(true)
  await ann.contacts.getByText('No connection').waitFor()
  await attach(ann, textFile('kept.txt'))
  await ann.say('keep this')
  await ann.page.locator('.unsent', { hasText: 'kept.txt' }).waitFor()
  await ann.page.close()
  web.block(false)
  const again = ann.in(await openPage(t, ann.context, web.url))
  await again.contacts.waitFor()
  await again.openUser('bob')
  await again.sees('keep this')
  t.is((await bob.history('ann')).messages.length, 1)
  t.is((await contentOf(bob, 'ann', -1)).toString(), 'content of kept.txt')
})

for (const colorScheme of ['light', 'dark'] as const) {
  testInBrowser(`pictures are shown in the chat and large, by keyboard alone, ${colorScheme}`, async (t) => {
    const { server, person, visitor } = await openStage(t)
    const annElsewhere = await server.user('ann')
    const ann = await visitor('ann', { colorScheme })
    await ann.logIn()
    const bob = await person('bob')
    await bob.openUser('ann')
    await attach(bob, jpeg('sea.jpg', await photo('jpeg', 1200, 800)), jpeg('hill.jpg', await photo('jpeg', 600, 400)))
    await bob.say('from the trip')
    await bob.messages().nth(1).waitFor()

    await ann.open('bob')
    const pictures = ann.page.locator('.picture[aria-busy="false"] img')
    await pictures.nth(1).waitFor()
    // Upright: the telephone lay on its side.
    const { naturalWidth, naturalHeight } = (await pictures.first().evaluate((image) => {
      const { naturalWidth, naturalHeight } = image as unknown as { naturalWidth: number; naturalHeight: number }
      return { naturalWidth, naturalHeight }
    })) as { naturalWidth: number; naturalHeight: number }
    t.true(naturalHeight > naturalWidth)
    t.deepEqual(await ann.texts(), ['from the trip'])
    await checkScreen(t, ann, 'pictures')
    await ann.page.screenshot({ path: `dist/screenshots/pictures-${colorScheme}.png` })

    await ann.page.getByRole('button', { name: 'Show sea.jpg' }).focus()
    await ann.page.keyboard.press('Enter')
    await ann.dialog.getByRole('heading', { name: 'sea.jpg' }).waitFor()
    await ann.dialog.locator('.large[aria-busy="false"] img').waitFor()
    await checkScreen(t, ann, 'viewer')
    await ann.page.screenshot({ path: `dist/screenshots/viewer-${colorScheme}.png` })
    await ann.page.keyboard.press('ArrowRight')
    await ann.dialog.getByRole('heading', { name: 'hill.jpg' }).waitFor()
    await ann.page.keyboard.press('ArrowLeft')
    await ann.dialog.getByText('from the trip').waitFor()
    const saving = ann.page.waitForEvent('download')
    await ann.press('Download', ann.dialog)
    const saved = await readFile(await (await saving).path())
    t.false(saved.includes(PLACE))
    await ann.page.keyboard.press('Escape')
    await ann.dialog.waitFor({ state: 'detached' })
    t.true(saved.equals(await contentOf(annElsewhere, 'bob', 0)))
  })
}

testInBrowser('a picture is made smaller before it is sent, or keeps what the camera wrote, on request', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  const original = await photo('jpeg', 3000, 2000)
  await attach(ann, jpeg('large.jpg', original), textFile('note.txt'))
  await ann.page.locator('.staged img').waitFor()
  await ann.page.getByLabel('Make pictures smaller').check()
  await checkScreen(t, ann, 'staged')
  await ann.press('Send')
  await ann.messages().nth(1).waitFor()
  const shrunk = await contentOf(bob, 'ann', 0)
  t.like(await sharp(shrunk).metadata(), { format: 'jpeg', width: 1365, height: 2048 })
  t.false(shrunk.includes(PLACE))
  t.is((await contentOf(bob, 'ann', 1)).toString(), 'content of note.txt')

  await attach(ann, jpeg('kept.jpg', original))
  await ann.page.getByLabel('Keep place and camera data').check()
  t.false(await ann.page.getByLabel('Make pictures smaller').isChecked())
  await ann.press('Send')
  await ann.messages().nth(2).waitFor()
  t.true((await contentOf(bob, 'ann', 2)).equals(original))

  await attach(ann, { name: 'drawing.png', mimeType: 'image/png', buffer: await drawing(900, 600).png().toBuffer() })
  await ann.press('Send')
  await ann.messages().nth(3).waitFor()
  t.like((await bob.history('ann')).messages[3]?.file, { name: 'drawing.png', width: 900, height: 600 })
})

testInBrowser('what only calls itself a picture is offered for download, not shown', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const html = Buffer.from('<!doctype html><script>globalThis.harmed = true</script>')
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="globalThis.harmed = true"/>')
  for (const [name, content] of [
    ['page.png', html],
    ['art.svg', svg],
  ] as const) {
    const { id } = await bob.upload(content, { name })
    await bob.send('ann', '', { file: id })
  }
  await ann.open('bob')
  await ann.page.getByRole('button', { name: 'Download page.png' }).waitFor()
  await ann.page.getByRole('button', { name: 'Download art.svg' }).waitFor()
  t.is(await ann.page.locator('.picture').count(), 0)
  t.is(await ann.page.evaluate('globalThis.harmed'), undefined)
  // A recall cuts the way to the file at once.
  const { messages } = await bob.history('ann')
  await bob.recall(messages[0]?.id ?? 0)
  await ann.page.getByRole('button', { name: 'Download page.png' }).waitFor({ state: 'detached' })
})
