import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import sharp from 'sharp'
import { thumbHashToAverageRGBA } from 'thumbhash'
import type { Client } from '../../client/index.ts'
import { drawing, PLACE, POSITIONS, photo, pixels, pngBomb } from '../support/files/pictures.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

async function open(t: ExecutionContext) {
  const stage = await startLocalServer(t)
  return { stage, alice: await stage.user('alice'), bob: await stage.user('bob') }
}

async function contentOf(client: Client, file: number, variant: 'original' | 'preview' = 'original') {
  const parts: Buffer[] = []
  for await (const part of client.download(file, { variant })) parts.push(part)
  return Buffer.concat(parts)
}

/** All bytes that the server keeps, its database too. */
async function allBytes(folder: string): Promise<Buffer[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name))))
}

for (const format of ['jpeg', 'png', 'webp', 'avif'] as const)
  test.serial(
    `a photo in ${format} arrives upright, with its colours, and its place is nowhere in the store`,
    async (t) => {
      const { stage, alice, bob } = await open(t)
      const original = await photo(format, 480, 360)
      const file = await alice.upload(original, { name: 'photo' })
      const { type, width, height } = file
      t.is(type, `image/${format}`)
      // A WebP is turned by few programs: its preview is shown, itself it is fetched.
      t.deepEqual([width, height], format === 'webp' ? [0, 0] : [360, 480])
      await alice.send('bob', '', { file: file.id })
      const received = await contentOf(bob, file.id)
      t.deepEqual(await pixels(received), await pixels(original))
      t.deepEqual((await sharp(received).metadata()).icc, (await sharp(original).metadata()).icc)
      const preview = await contentOf(bob, file.id, 'preview')
      t.is(preview.length, file.preview)
      t.like(await sharp(preview).metadata(), { format: 'webp', width: 240, height: 320, exif: undefined })
      const { r, b } = thumbHashToAverageRGBA(Buffer.from(file.thumbhash, 'base64'))
      t.true(r > b)
      const stored = await allBytes(stage.data)
      t.true(stored.some((bytes) => bytes.includes(received)))
      for (const place of [PLACE, ...POSITIONS]) t.false(stored.some((bytes) => bytes.includes(place)))
    },
  )

test.serial('a picture keeps its metadata if its sender wants that, and is not shown then', async (t) => {
  const { alice } = await open(t)
  const original = await photo('jpeg', 480, 360)
  const file = await alice.upload(original, { name: 'photo.jpg', keepMetadata: true })
  t.like(file, { type: 'image/jpeg', width: 0, height: 0, size: original.length })
  t.deepEqual(await contentOf(alice, file.id), original)
  t.like(await sharp(await contentOf(alice, file.id, 'preview')).metadata(), { width: 240, height: 320 })
})

test.serial(
  'files that are no pictures are stored as they are, whatever their name, and have no dimensions',
  async (t) => {
    const { alice } = await open(t)
    const zip = Buffer.concat([Buffer.from('PK\x03\x04'), randomBytes(2000)])
    const table: [string, string | Buffer, string][] = [
      ['page.png', '<!doctype html><script>alert(1)</script>', 'text/plain'],
      ['drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', 'text/plain'],
      ['scan.jpg', '%PDF-1.7\n', 'application/pdf'],
      ['bomb.gif', zip, 'application/zip'],
      ['x.webp', Buffer.of(0x80, 0, 1), 'application/octet-stream'],
    ]
    for (const [name, content, type] of table) {
      const bytes = Buffer.from(content as string)
      const file = await alice.upload(bytes, { name })
      t.like(file, { type, width: 0, height: 0, thumbhash: '', preview: 0 }, name)
      t.deepEqual(await contentOf(alice, file.id), bytes)
    }
  },
)

test.serial('broken pictures are refused, bombs and polyglots are not shown as what they are not', async (t) => {
  const { alice } = await open(t)
  const jpeg = await drawing().jpeg().toBuffer()
  const cut = jpeg.subarray(0, jpeg.length / 2)
  t.is(await refusal(t, alice.upload(cut, { name: 'cut.jpg' })), 'picture_refused')
  t.like(await alice.upload(cut, { name: 'cut.jpg', keepMetadata: true }), { width: 0, preview: 0, size: cut.length })
  t.like(await alice.upload(pngBomb(30_000, 30_000), { name: 'bomb.png' }), { type: 'image/png', width: 0, preview: 0 })
  const zip = Buffer.from('PK\x05\x06'.padEnd(22, '\0'))
  const polyglot = await alice.upload(Buffer.concat([jpeg, zip]), { name: 'both.jpg' })
  t.like(polyglot, { type: 'image/jpeg', width: 60, height: 40 })
  t.false((await contentOf(alice, polyglot.id)).includes('PK\x05\x06'))
  // The server still makes previews.
  t.not((await alice.upload(await drawing(90, 60).png().toBuffer(), { name: 'next.png' })).preview, 0)
})

test.serial('names of files lead nowhere', async (t) => {
  const { alice, bob } = await open(t)
  for (const [given, stored] of [
    ['../../x', 'x'],
    ['..', 'file'],
    ['C:\\x\\y.png', 'y.png'],
  ] as const) {
    const file = await alice.upload(Buffer.from('content'), { name: given })
    t.is(file.name, stored)
  }
  const { id, name } = await alice.upload(Buffer.from('content'), { name: `${'😀'.repeat(255)}.png` })
  t.true(Buffer.byteLength(name) <= 255 && name.endsWith('.png'))
  await alice.send('bob', '', { file: id })
  t.is((await bob.inbox()).messages[0]?.file?.name, name)
})
