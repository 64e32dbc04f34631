import test from 'ava'
import fc from 'fast-check'
import sharp from 'sharp'
import { bytesSource, examine, MAX_PIXELS, type Source } from '../../plugins/files/pictures/index.ts'
import { WINDOW_BYTES } from '../../plugins/files/pictures/source.ts'
import {
  drawing,
  FORMATS,
  inserted,
  jpegSegment,
  outcome,
  PLACE,
  POSITIONS,
  photo,
  pixels,
  pngBomb,
  pngChunk,
  rewrite,
} from '../support/files/pictures.ts'

/** Where the colour table of a GIF ends. */
const coloursEnd = (gif: Buffer) => 13 + 3 * 2 ** (((gif[10] ?? 0) & 7) + 1)

const hasPlace = (bytes: Buffer) => [PLACE, ...POSITIONS].some((part) => bytes.includes(part))

for (const format of ['jpeg', 'png', 'webp', 'avif'] as const)
  test(`a photo in ${format} keeps orientation and colours, and no byte of its position`, async (t) => {
    const original = await photo(format)
    t.true(hasPlace(original))
    const before = await sharp(original).metadata()
    const picture = await rewrite(original)
    if (picture === undefined) return t.fail('it is a picture')
    // Chromium does not turn a WebP: its preview is upright, itself it is only fetched.
    t.like(picture, { type: `image/${format}`, inline: format !== 'webp', width: 40, height: 60 })
    t.false(hasPlace(picture.bytes))
    const after = await sharp(picture.bytes).metadata()
    t.deepEqual(after.icc, before.icc)
    t.is(after.orientation, before.orientation)
    t.is(after.xmp?.some((byte) => byte !== 0) ?? false, false)
    t.deepEqual(await pixels(picture.bytes), await pixels(original))
    const { width, height } = await sharp(picture.bytes)
      .autoOrient()
      .toBuffer({ resolveWithObject: true })
      .then((o) => o.info)
    t.deepEqual([width, height], [40, 60])
  })

for (const format of FORMATS)
  test(`a picture in ${format} without metadata stays as it is`, async (t) => {
    const original = await drawing().toFormat(format).toBuffer()
    const once = await rewrite(original)
    const twice = await rewrite(once?.bytes ?? Buffer.alloc(0))
    t.like(once, { type: `image/${format}`, inline: true, width: 60, height: 40 })
    t.deepEqual(twice?.bytes, once?.bytes)
    t.deepEqual(await pixels(once?.bytes ?? original), await pixels(original))
    t.true(Math.abs((once?.bytes.length ?? 0) - original.length) <= 4)
  })

test('progressive, interlaced, lossless, transparent and CMYK pictures keep their pixels', async (t) => {
  const transparent = drawing().ensureAlpha(0.5)
  const variants = await Promise.all([
    drawing(300, 200).jpeg({ progressive: true }).toBuffer(),
    drawing().toColourspace('cmyk').jpeg().toBuffer(),
    drawing().grayscale().jpeg().toBuffer(),
    drawing(300, 200).png({ progressive: true }).toBuffer(),
    drawing().png({ palette: true }).toBuffer(),
    transparent.clone().png().toBuffer(),
    transparent.clone().webp().toBuffer(),
    transparent.clone().webp({ lossless: true }).toBuffer(),
    transparent.clone().avif().toBuffer(),
  ])
  for (const original of variants) {
    const picture = await rewrite(original)
    t.deepEqual(await pixels(picture?.bytes ?? Buffer.alloc(0)), await pixels(original))
  }
})

for (const format of ['gif', 'webp'] as const)
  test(`an animation in ${format} keeps its pages, pauses and loops`, async (t) => {
    const pages = await Promise.all(
      ['#f00', '#0f0', '#00f'].map((background) => {
        return sharp({ create: { width: 8, height: 8, channels: 3, background } })
          .png()
          .toBuffer()
      }),
    )
    const original = await sharp(pages, { join: { animated: true } })
      .toFormat(format, { loop: 3, delay: [100, 200, 300] })
      .toBuffer()
    const picture = await rewrite(original)
    const { pages: count, delay, loop } = await sharp(picture?.bytes).metadata()
    t.deepEqual({ count, delay, loop }, { count: 3, delay: [100, 200, 300], loop: 3 })
    t.deepEqual(await pixels(picture?.bytes ?? original), await pixels(original))
  })

test('texts, times and unknown chunks of a PNG are dropped', async (t) => {
  const plain = await drawing().png().toBuffer()
  const chunks = ['tEXt', 'zTXt', 'iTXt', 'tIME', 'prVt', 'caBX'].map((name) => pngChunk(name, Buffer.from(PLACE)))
  const picture = await rewrite(inserted(plain, 33, ...chunks))
  t.deepEqual(picture?.bytes, (await rewrite(plain))?.bytes)
})

test('comments, IPTC, C2PA, further pictures and the little picture of JFIF are dropped from a JPEG', async (t) => {
  const plain = await drawing().jpeg().toBuffer()
  const jfif = (thumbnail: string) => jpegSegment(0xe0, `JFIF\0\x01\x02\0\0\x01\0\x01${thumbnail}`)
  const segments = [
    jfif(`\x02\x02${'x'.repeat(12)}`),
    jpegSegment(0xe0, `JFXX\0${PLACE}`),
    jpegSegment(0xe1, `http://ns.adobe.com/xap/1.0/\0${PLACE}`),
    jpegSegment(0xe2, `MPF\0${PLACE}`),
    jpegSegment(0xeb, PLACE),
    jpegSegment(0xed, `Photoshop 3.0\0${PLACE}`),
    jpegSegment(0xef, PLACE),
    jpegSegment(0xfe, PLACE),
  ]
  const picture = await rewrite(inserted(plain, 2, ...segments))
  t.deepEqual(picture?.bytes, inserted((await rewrite(plain))?.bytes ?? plain, 2, jfif('\0\0')))
})

test('comments, texts and data of applications are dropped from a GIF', async (t) => {
  const plain = await drawing().gif().toBuffer()
  const blocks = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text), Buffer.of(0)])
  const extension = (label: number, ...parts: Buffer[]) => Buffer.concat([Buffer.of(0x21, label), ...parts])
  const xmp = Buffer.concat([Buffer.of(11), Buffer.from('XMP DataXMP'), blocks(PLACE)])
  const colours = coloursEnd(plain)
  const more = [extension(0xfe, blocks(PLACE)), extension(0x01, blocks(PLACE)), extension(0xff, xmp)]
  const picture = await rewrite(inserted(plain, colours, ...more))
  t.deepEqual(picture?.bytes, (await rewrite(plain))?.bytes)
})

for (const format of FORMATS)
  test(`what follows the end of a picture in ${format} is dropped: a ZIP, a film, a page`, async (t) => {
    const plain = await drawing().toFormat(format).toBuffer()
    const zip = Buffer.from('PK\x05\x06'.padEnd(22, '\0'))
    const picture = await rewrite(Buffer.concat([plain, Buffer.from('<script>alert(1)</script>'), zip]))
    t.deepEqual(picture?.bytes, (await rewrite(plain))?.bytes)
  })

test('a GIF that is a script too loses the script, for its bytes are those of no picture', async (t) => {
  const plain = await drawing().gif().toBuffer()
  const colours = coloursEnd(plain)
  const script = '*/=1;alert(document.domain)/*'
  const comment = Buffer.concat([Buffer.of(0x21, 0xfe, script.length), Buffer.from(script), Buffer.of(0)])
  const polyglot = Buffer.concat([inserted(plain, colours, comment), Buffer.from('*/;alert(2)')])
  polyglot.write('/*', 6)
  const picture = await rewrite(polyglot)
  t.is(picture?.type, 'image/gif')
  t.false(picture?.bytes.includes('alert'))
})

test('the type is that of the bytes; SVG, HTML, PDF and unknown formats are no pictures', async (t) => {
  const page = '<!doctype html><script>alert(1)</script>'
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
  const table: [string | Buffer, string][] = [
    [page, 'text/plain'],
    [svg, 'text/plain'],
    [`<?xml version="1.0"?>${svg}`, 'application/xml'],
    ['%PDF-1.7\n%âãÏÓ\n', 'application/pdf'],
    ['PK\x03\x04'.padEnd(40, '\0'), 'application/zip'],
    ['Grüße aus 東京 🎉'.repeat(400), 'text/plain'],
    [Buffer.of(0x80, 0x81, 0xfe, 0), 'application/octet-stream'],
    ['', 'text/plain'],
    [await drawing().tiff().toBuffer(), 'image/tiff'],
  ]
  for (const [bytes, type] of table) {
    const examined = await examine(bytesSource(Buffer.from(bytes as string)))
    t.deepEqual(examined, { type, picture: undefined })
  }
})

test('the dimensions of a bomb are known without decoding it, and it is not shown', async (t) => {
  t.like(await rewrite(pngBomb(30_000, 30_000)), { width: 30_000, height: 30_000, inline: false })
  t.like(await rewrite(pngBomb(MAX_PIXELS / 1000, 1000)), { inline: true })
  t.like(await rewrite(pngBomb(MAX_PIXELS / 1000 + 1, 1000)), { inline: false })
  t.is(await outcome(pngBomb(0, 10)), 'malformed')
  t.is(await outcome(pngBomb(0x80000000, 1)), 'malformed')
})

for (const format of FORMATS)
  test(`each cut of a photo in ${format} is refused, or the cut took only metadata`, async (t) => {
    const original = await photo(format, 12, 8)
    const whole = await rewrite(original)
    for (let length = 0; length < original.length; length++) {
      const cut = await outcome(original.subarray(0, length))
      if (cut === undefined) t.true(length < 16, `${length} bytes are no picture`)
      else if (cut instanceof Object) t.deepEqual(await pixels(cut.bytes), await pixels(whole?.bytes ?? original))
      else t.true(['truncated', 'malformed'].includes(cut))
    }
  })

test('broken pictures are refused, or rewritten to the same bytes each time', async (t) => {
  const photos = await Promise.all(FORMATS.map((format) => photo(format, 12, 8)))
  const changes = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0xff))), { maxLength: 12 })
  const cases = fc.tuple(fc.nat(photos.length - 1), changes, fc.uint8Array({ maxLength: 40 }))
  const check = async ([index, edits, tail]: [number, [number, number][], Uint8Array]) => {
    const bytes = Buffer.concat([photos[index] ?? Buffer.alloc(0), tail])
    for (const [at, value] of edits) bytes[at % bytes.length] = value
    const first = await outcome(bytes)
    if (!(first instanceof Object)) return
    t.is(first.bytes.length, first.pieces.size)
    t.true(first.bytes.length <= bytes.length)
    const second = await outcome(first.bytes)
    t.true(second instanceof Object && second.bytes.equals(first.bytes))
  }
  await fc.assert(fc.asyncProperty(cases, check), { numRuns: 1500 })
})

test('random bytes behind the signature of a picture are refused, or no picture', async (t) => {
  const signatures = [
    '\xff\xd8\xff',
    '\x89PNG\r\n\x1a\n',
    'GIF89a',
    'RIFF\x20\0\0\0WEBP',
    '\0\0\0\x14ftypavif\0\0\0\0avif',
  ]
  const cases = fc.tuple(fc.constantFrom(...signatures), fc.uint8Array({ maxLength: 300 }))
  const check = async ([signature, noise]: [string, Uint8Array]) => {
    const result = await outcome(Buffer.concat([Buffer.from(signature, 'latin1'), noise]))
    t.true(result === undefined || typeof result === 'string' || result.bytes.length > 0)
  }
  await fc.assert(fc.asyncProperty(cases, check), { numRuns: 2000 })
})

test('of a large picture one window at a time is in memory', async (t) => {
  const plain = await drawing().jpeg().toBuffer()
  const [head, end] = [plain.subarray(0, -2), plain.subarray(-2)]
  const size = 64 * 1024 * 1024
  const lengths: number[] = []
  const source: Source = {
    size,
    read: async (at, length) => {
      lengths.push(length)
      const bytes = Buffer.alloc(Math.min(length, size - at))
      if (at < head.length) head.copy(bytes, 0, at)
      if (at + bytes.length === size) end.copy(bytes, bytes.length - 2)
      return bytes
    },
  }
  const { picture } = await examine(source)
  t.like(picture, { width: 60, height: 40, inline: true })
  t.true(Math.max(...lengths) <= WINDOW_BYTES)
  t.true((picture?.pieces.list.length ?? 0) < 10)
})

test('the photo of a telephone in HEIC loses its position too, and is not shown', async (t) => {
  const original = await photo('avif')
  for (let at = original.indexOf('avif'); at > 0 && at < 28; at = original.indexOf('avif')) original.write('heic', at)
  const picture = await rewrite(original)
  t.like(picture, { type: 'image/heic', inline: false, width: 40, height: 60 })
  t.false(hasPlace(picture?.bytes ?? original))
})

test('the metadata of an animated AVIF cannot be removed: it is refused', async (t) => {
  const plain = await photo('avif')
  t.is(await outcome(inserted(plain, plain.readUInt32BE(0), Buffer.from('\0\0\0\x08moov', 'latin1'))), 'unsupported')
})

test('a picture of more parts than any has is refused', async (t) => {
  const PARTS = 100_001
  const jpeg = await drawing().jpeg().toBuffer()
  const png = await drawing().png().toBuffer()
  const gif = await drawing().gif().toBuffer()
  const webp = Buffer.concat([
    await drawing().webp().toBuffer(),
    Buffer.alloc(8 * PARTS).fill(Buffer.from('ABCD\0\0\0\0')),
  ])
  webp.writeUInt32LE(webp.length - 8, 4)
  const many = [
    inserted(jpeg, 2, Buffer.alloc(4 * PARTS).fill(jpegSegment(0xfe, ''))),
    inserted(jpeg, 2, Buffer.alloc(PARTS, 0xff)),
    inserted(png, 33, Buffer.alloc(12 * PARTS).fill(pngChunk('tEXt', Buffer.alloc(0)))),
    inserted(gif, coloursEnd(gif), Buffer.alloc(3 * PARTS).fill(Buffer.of(0x21, 0xfe, 0))),
    webp,
  ]
  for (const bytes of many) t.is(await outcome(bytes), 'malformed')
})

test('a picture may have any number of restart markers, fill bytes and blocks of data', async (t) => {
  const jpeg = await drawing().jpeg().toBuffer()
  const data = Buffer.alloc(400_000)
  for (let at = 0; at < data.length; at += 2)
    data.writeUInt16BE([0xff00, 0xffd3, 0xffff, 0x0000][(at / 2) % 4] ?? 0, at)
  t.is((await rewrite(inserted(jpeg, jpeg.length - 2, data)))?.bytes.length, jpeg.length + data.length)
})
