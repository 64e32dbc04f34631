import test from 'ava'
import fc from 'fast-check'
import { Buffer as BufferInUse } from '#platform/runtime'
import * as browserCrypto from '../../core/platform/browser-crypto.ts'
import * as browserRuntime from '../../core/platform/browser-runtime.ts'
import * as nodeCrypto from '../../core/platform/node-crypto.ts'
import * as nodeRuntime from '../../core/platform/node-runtime.ts'
import type { Crypto, Runtime } from '../../core/platform/port.ts'
import { md5x10 } from '../../core/scram/index.ts'
import { checkConformance } from '../support/browser/conformance.ts'
import { readVectors } from '../support/wire/vectors.ts'

const node = { ...nodeCrypto, ...nodeRuntime } satisfies Crypto<nodeCrypto.PrivateKey> & Runtime
const browser = { ...browserCrypto, ...browserRuntime } satisfies Crypto<browserCrypto.PrivateKey> & Runtime
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex')

test('the platform in use is that of the condition under which the tests run', (t) => {
  const isBrowser = process.execArgv.includes('--conditions=browser')
  t.is(BufferInUse, isBrowser ? browser.Buffer : node.Buffer)
  t.not(browser.Buffer, node.Buffer)
})

test('the platform in use gives the published vectors', async (t) => {
  const { count, failed } = await checkConformance({
    noise: readVectors('noise-aesgcm'),
    crypto: readVectors('crypto'),
  })
  t.deepEqual(failed, [])
  t.true(count > 150, `${count} values`)
})

const bytes = (length = 200) => fc.uint8Array({ maxLength: length })
const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const iv = fc.uint8Array({ minLength: 12, maxLength: 12 })

test('both platforms hash, derive and encrypt alike', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      key,
      iv,
      bytes(),
      bytes(),
      fc.string({ unit: 'binary' }),
      async (secret, nonce, ad, data, text) => {
        t.is(hex(browser.sha256(ad, data)), hex(node.sha256(ad, data)))
        for (const platform of [browser, node]) {
          const running = platform.newSha256()
          for (const part of [ad, data]) running.update(part)
          t.is(hex(running.digest()), hex(node.sha256(ad, data)))
        }
        t.is(hex(browser.hmacSha256(secret, text)), hex(node.hmacSha256(secret, text)))
        t.is(hex(browser.hkdfSha256(secret, data, 64)), hex(node.hkdfSha256(secret, data, 64)))
        t.is(browser.md5Hex(text), node.md5Hex(text))
        const [one, other] = [Buffer.alloc(data.length + 16), Buffer.alloc(data.length + 16)]
        browser.aesGcmSeal(secret, nonce, ad, data, one)
        node.aesGcmSeal(secret, nonce, ad, data, other)
        t.deepEqual(one, other)
        t.is(hex(browser.aesGcmOpen(secret, nonce, ad, other)), hex(data))
        one.writeUInt8(one.readUInt8(0) ^ 1, 0)
        t.is(browser.aesGcmOpen(secret, nonce, ad, one), undefined)
        t.is(node.aesGcmOpen(secret, nonce, ad, one), undefined)
      },
    ),
    { numRuns: 50 },
  )
})

test('keys of one platform work on the other', (t) => {
  const [ann, bob] = [node.generateKeyPair().privateKey, browser.generateKeyPair().privateKey]
  const bobInNode = node.importPrivateKey(browser.exportPrivateKey(bob))
  t.is(hex(node.publicKeyOf(bobInNode)), hex(browser.publicKeyOf(bob)))
  t.is(hex(browser.x25519(bob, node.publicKeyOf(ann))), hex(node.x25519(ann, browser.publicKeyOf(bob))))
  for (const platform of [node.x25519(ann, Buffer.alloc(32)), browser.x25519(bob, Buffer.alloc(32))])
    t.is(platform, undefined)
})

test('both platforms accept the same UTF-8 and give the same text', (t) => {
  const text = fc.oneof(
    bytes(20),
    fc.string({ unit: 'binary' }).map((value) => new TextEncoder().encode(value)),
  )
  fc.assert(
    fc.property(text, (raw) => {
      const expected = node.readUtf8(Buffer.from(raw), 0, raw.length)
      t.is(browser.readUtf8(browser.Buffer.from(raw), 0, raw.length), expected)
    }),
    { numRuns: 500, examples: [[Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)], [Uint8Array.of(0xed, 0xa0, 0x80)]] },
  )
})

/** What an operation gives, in a form that does not tell the platforms apart. */
function outcome(work: () => unknown): unknown {
  try {
    const result = work()
    return result instanceof Uint8Array ? hex(result) : result
  } catch {
    return 'refused'
  }
}

test('the bytes of browsers are made, read and compared as those of Node', (t) => {
  const alike = (work: (bytes: Runtime['Buffer']) => unknown) =>
    t.is(
      outcome(() => work(browser.Buffer)),
      outcome(() => work(node.Buffer)),
      String(work),
    )
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\ufeffa', '\ud800', '\u{1f44d}'))
  fc.assert(
    fc.property(
      bytes(40),
      text,
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 0, max: 50 }),
      (raw, words, from, to) => {
        for (const encoding of ['utf8', 'hex', 'base64', 'latin1'] as const) {
          const encoded = Buffer.from(raw).toString(encoding)
          alike((platform) => platform.from(encoded, encoding))
          alike((platform) => platform.from(encoded.slice(0, -1), encoding))
          alike((platform) => platform.from(raw).toString(encoding, from, to))
        }
        alike((platform) => platform.byteLength(words))
        alike((platform) => platform.concat([raw, platform.from(words)]))
        alike((platform) => platform.concat([raw, platform.from(words)], from))
        alike((platform) => platform.from(raw).equals(platform.from(words, 'latin1')))
        alike((platform) => platform.from(raw.buffer as ArrayBuffer, Math.min(from, raw.length)).subarray(1))
        const room = from + 4 * words.length
        alike((platform) => platform.alloc(room).write(words, from, 'utf8'))
        alike((platform) => {
          const target = platform.alloc(60)
          return [platform.from(raw).copy(target, from, Math.min(to, raw.length)), hex(target)].join()
        })
      },
    ),
    { numRuns: 300 },
  )
})

test('the bytes of browsers hold numbers as those of Node, and refuse places outside', (t) => {
  const integers = [
    ['UInt8', 8, false],
    ['Int8', 8, true],
    ['UInt16BE', 16, false],
    ['Int16BE', 16, true],
    ['UInt32BE', 32, false],
    ['Int32BE', 32, true],
  ] as const
  const place = fc.integer({ min: 0, max: 8 })
  const alike = (work: (bytes: Buffer) => unknown) =>
    t.is(
      outcome(() => work(browser.Buffer.alloc(12))),
      outcome(() => work(node.Buffer.alloc(12))),
    )
  for (const [name, bits, signed] of integers) {
    const low = signed ? -(2 ** (bits - 1)) : 0
    fc.assert(
      fc.property(fc.integer({ min: low, max: low + 2 ** bits - 1 }), place, (value, at) => {
        alike((all) => [all[`write${name}`](value, at), all[`read${name}`](at), hex(all)].join())
        alike((all) => all[`read${name}`](at + 8))
      }),
    )
  }
  fc.assert(
    fc.property(fc.double(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), place, (value, large, at) => {
      alike((all) => [all.writeDoubleBE(value, at), all.readDoubleBE(at), hex(all)].join())
      alike((all) => [all.writeBigUInt64BE(large, at), all.readBigUInt64BE(at), hex(all)].join())
      const signed = BigInt.asIntN(64, large)
      alike((all) => [all.writeBigInt64BE(signed, at), all.readBigInt64BE(at), hex(all)].join())
    }),
  )
})

test('both platforms compare, draw random bytes and wait for the end of the turn', async (t) => {
  for (const platform of [node, browser]) {
    t.true(platform.timingSafeEqual(Buffer.from('same'), Buffer.from('same')))
    t.false(platform.timingSafeEqual(Buffer.from('same'), Buffer.from('samE')))
    t.not(hex(platform.randomBytes(16)), hex(platform.randomBytes(16)))
    const order: string[] = []
    const done = new Promise<void>((resolve) => {
      platform.afterTurn(() => {
        order.push('after the turn')
        resolve()
      })
    })
    await Promise.resolve()
    order.push('in the turn')
    await done
    t.deepEqual(order, ['in the turn', 'after the turn'])
  }
})

test.serial('without WebCrypto, as on http://, a browser derives the same keys in JavaScript', async (t) => {
  const password = Buffer.from('correct horse')
  const salt = Buffer.alloc(16, 7)
  const expected = hex(await node.pbkdf2Sha256(password, salt, 4096, 32))
  t.is(hex(await browser.pbkdf2Sha256(password, salt, 4096, 32)), expected)
  Object.defineProperty(crypto, 'subtle', { value: undefined, configurable: true })
  t.teardown(() => Reflect.deleteProperty(crypto, 'subtle'))
  t.is(hex(await browser.pbkdf2Sha256(password, salt, 4096, 32)), expected)
})

test('the hash of the original’s clients is the same in browsers', (t) => {
  t.is(
    md5x10('correct horse'),
    Array.from({ length: 10 }).reduce<string>((digits) => browser.md5Hex(`${digits}jeremyjone`), 'correct horse'),
  )
})
