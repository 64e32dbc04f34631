import { execFileSync } from 'node:child_process'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import sharp from 'sharp'
import { thumbHashToAverageRGBA } from 'thumbhash'
import { type PreviewParts, Previews } from '../../plugins/files/pictures/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { drawing, FORMATS, photo, pngBomb } from '../support/files/pictures.ts'
import { tempFolder } from '../support/temp-folder.ts'

async function openPreviews(t: ExecutionContext, parts: Partial<PreviewParts> = {}) {
  const folder = await tempFolder(t)
  const clock = new TestClock()
  const reasons: unknown[] = []
  const note = (facts: object) => void reasons.push('reason' in facts ? facts.reason : facts)
  const previews = new Previews({ clock, log: { debug: note, info: note }, ...parts })
  t.teardown(() => previews.close())
  const make = async (name: string, bytes: Uint8Array | string) => {
    await writeFile(join(folder, name), bytes)
    return previews.make(join(folder, name))
  }
  return { folder, clock, previews, reasons, make }
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

for (const format of FORMATS)
  test(`a photo in ${format} gets an upright preview and a placeholder`, async (t) => {
    const { make } = await openPreviews(t)
    const made = await make('photo', await photo(format, 900, 600))
    // A GIF holds no orientation.
    const [width, height] = format === 'gif' ? [320, 213] : [213, 320]
    t.like(made, { width, height })
    const { format: type, exif, icc, xmp, ...facts } = await sharp(made?.preview).metadata()
    t.like({ type, exif, icc, xmp, ...facts }, { type: 'webp', width, height, exif: undefined, xmp: undefined })
    t.is(icc, undefined)
    const { r, b } = thumbHashToAverageRGBA(made?.thumbhash ?? [])
    t.true(r > b)
    t.true((made?.thumbhash.length ?? 99) < 40)
  })

test('a small picture is not enlarged', async (t) => {
  const { make } = await openPreviews(t)
  t.like(await make('small', await drawing(12, 8).png().toBuffer()), { width: 12, height: 8 })
})

test('broken pictures, bombs and other formats get no preview, and the next picture gets its own', async (t) => {
  const { make, previews, reasons } = await openPreviews(t)
  const picture = await drawing(900, 600).jpeg().toBuffer()
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="9" height="9"/></svg>'
  t.truthy(await make('good', picture))
  const { pid } = previews
  t.is(await make('cut.jpg', picture.subarray(0, picture.length / 2)), undefined)
  t.is(await make('page.png', '<!doctype html>'), undefined)
  t.is(await make('drawing.png', svg), undefined)
  t.is(await make('scan.png', await drawing().tiff().toBuffer()), undefined)
  t.is(await make('bomb.png', pngBomb(30_000, 30_000)), undefined)
  t.is(await previews.make('/nowhere'), undefined)
  t.is(reasons.length, 6)
  t.truthy(await make('next', picture))
  t.is(previews.pid, pid)
})

test('a picture that takes longer than its time ends the child process, and another one starts', async (t) => {
  const { folder, clock, previews, reasons, make } = await openPreviews(t)
  execFileSync('mkfifo', [join(folder, 'endless')])
  const endless = previews.make(join(folder, 'endless'))
  const next = make('next', await drawing().png().toBuffer())
  while (previews.pid === undefined) await new Promise(setImmediate)
  const { pid } = previews
  clock.jump(9_999)
  t.true(isAlive(pid))
  clock.jump(1)
  t.is(await endless, undefined)
  t.deepEqual(reasons, ['the child process ended (SIGKILL)'])
  t.false(isAlive(pid))
  t.truthy(await next)
  t.not(previews.pid, pid)
})

test('a picture that takes too much memory ends the child process', async (t) => {
  const { make, reasons } = await openPreviews(t, { bounds: { maxMemory: 1024 * 1024 } })
  t.is(await make('picture', await drawing().png().toBuffer()), undefined)
  t.deepEqual(reasons, ['the child process ended (SIGKILL)'])
})

test('when too many pictures wait, further ones get no preview', async (t) => {
  const { folder, make, previews } = await openPreviews(t, { bounds: { maxWaiting: 2 } })
  await writeFile(join(folder, 'picture'), await drawing().png().toBuffer())
  const made = await Promise.all([1, 2, 3, 4].map(() => previews.make(join(folder, 'picture'))))
  t.deepEqual(
    made.map((preview) => preview !== undefined),
    [true, true, false, false],
  )
  t.truthy(await make('later', await drawing().png().toBuffer()))
})

test('without sharp there are no previews, which is said once', async (t) => {
  const folder = await tempFolder(t)
  const script = join(folder, 'preview-process.mjs')
  await copyFile(new URL('../../plugins/files/pictures/preview-process.js', import.meta.url), script)
  const { make, previews, reasons } = await openPreviews(t, { script: pathToFileURL(script) })
  const picture = await drawing().png().toBuffer()
  t.is(await make('one', picture), undefined)
  t.is(await make('two', picture), undefined)
  t.is(reasons.length, 1)
  t.regex(String(reasons[0]), /Cannot find package 'sharp'/)
  t.is(previews.pid, undefined)
})

test('the child process ends when there is nothing to do, and with the server', async (t) => {
  const { clock, make, previews, folder } = await openPreviews(t)
  const picture = await drawing().png().toBuffer()
  t.truthy(await make('one', picture))
  t.not(previews.pid, undefined)
  clock.jump(60_000)
  t.is(previews.pid, undefined)
  t.truthy(await make('two', picture))
  execFileSync('mkfifo', [join(folder, 'endless')])
  const endless = previews.make(join(folder, 'endless'))
  await previews.close()
  t.is(await endless, undefined)
  t.is(await make('three', picture), undefined)
  t.is(previews.pid, undefined)
})
