import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import type { Client } from '../../client/index.ts'
import type { Person } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { openPage, testInBrowser } from '../support/browser.ts'

const textFile = (name: string, content = `content of ${name}`) => ({
  name,
  mimeType: 'text/plain',
  buffer: Buffer.from(content),
})

/** Chooses files as the dialog of the system does. */
async function attach({ page }: Person, ...files: ReturnType<typeof textFile>[]) {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: 'Attach files' }).click()
  await (await chooser).setFiles(files)
}

/** Content of the only file in the last message of a conversation. */
async function lastContent(client: Client, from: string): Promise<Buffer> {
  const file = (await client.history(from)).messages.at(-1)?.file
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
  t.is((await lastContent(bob, 'ann')).toString(), 'content of kept.txt')
})
