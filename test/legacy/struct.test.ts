import test from 'ava'
import { calcSize, pack, parseFormat, StructError, type StructValue, unpack } from '../../plugins/legacy/struct.ts'
import { readVectors } from '../support/wire/vectors.ts'

type VectorValue =
  | { type: 'int'; value: string }
  | { type: 'float'; value: string; bits: string }
  | { type: 'bool'; value: boolean }
  | { type: 'bytes'; hex: string }
  | { type: 'str'; value: string }

interface Vectors {
  sizes: Record<string, Record<string, { size: number; after_one_byte: number } | { error: string }>>
  pack: {
    format: string
    values: VectorValue[]
    hex: string
    size: number
    unpacked?: VectorValue[]
    unpack_error?: string
  }[]
  pack_errors: { format: string; values: VectorValue[]; error: string }[]
  unpack: { format: string; hex: string; values?: VectorValue[]; error?: string }[]
}

const vectors: Vectors = readVectors('python-struct')
const structError = { instanceOf: StructError }

function bitsOf(float: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(float)
  return bytes.toString('hex')
}

/** Strings are no StructValue, but plugins written in JavaScript can pass them, so the vectors do too. */
function fromVector(vector: VectorValue): StructValue {
  if (vector.type === 'bytes') return Buffer.from(vector.hex, 'hex')
  if (vector.type === 'float') return Buffer.from(vector.bits, 'hex').readDoubleBE()
  if (vector.type === 'int') {
    const rounded = Number(vector.value)
    return Number.isSafeInteger(rounded) ? rounded : BigInt(vector.value)
  }
  return vector.value as StructValue
}

/** Numbers become their bits: that tells 0 from -0, and a bigint or boolean from the number that equals it. */
function show(value: StructValue): string {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  return typeof value === 'number' ? `number ${bitsOf(value)}` : `${typeof value} ${value}`
}

test('every letter has the size and alignment it has in Python', (t) => {
  for (const [name, letters] of Object.entries(vectors.sizes)) {
    const prefix = name === 'none' ? '' : name
    for (const [letter, expected] of Object.entries(letters)) {
      if ('error' in expected) {
        t.throws(() => calcSize(prefix + letter), structError, prefix + letter)
        t.throws(() => calcSize(`${prefix}B${letter}`), structError, prefix + letter)
      } else {
        t.is(calcSize(prefix + letter), expected.size, prefix + letter)
        t.is(calcSize(`${prefix}B${letter}`), expected.after_one_byte, prefix + letter)
      }
    }
  }
})

test('packing gives the bytes that Python gives, and unpacking them the values', (t) => {
  for (const vector of vectors.pack) {
    const note = JSON.stringify(vector)
    const packed = pack(vector.format, vector.values.map(fromVector))
    t.is(packed.toString('hex'), vector.hex, note)
    t.is(calcSize(vector.format), vector.size, note)
    if (vector.unpacked) {
      const expected = vector.unpacked.map(fromVector).map(show)
      t.deepEqual(unpack(vector.format, packed).map(show), expected, note)
    } else {
      t.truthy(vector.unpack_error, note)
      t.throws(() => unpack(vector.format, packed), structError, note)
    }
  }
})

/** The one difference from Python that the types of JavaScript force: 1.0 and 1 are the same number. */
function isWholeFloatForInteger({ values, error }: Vectors['pack_errors'][number]): boolean {
  return error.includes('not an integer') && values.every((v) => v.type === 'float' && Number.isInteger(fromVector(v)))
}

test('packing refuses the values that Python refuses', (t) => {
  for (const vector of vectors.pack_errors) {
    if (isWholeFloatForInteger(vector)) continue
    t.throws(() => pack(vector.format, vector.values.map(fromVector)), structError, JSON.stringify(vector))
  }
})

test('a whole float packs as the integer it equals', (t) => {
  const whole = vectors.pack_errors.filter(isWholeFloatForInteger)
  t.deepEqual(
    whole.map(({ format }) => format),
    ['@h', '=h', '<h', '>h', '!h'],
  )
  for (const { format, values } of whole) {
    t.deepEqual(unpack(format, pack(format, values.map(fromVector))), [1])
  }
})

test('unpacking gives the values that Python gives, or refuses', (t) => {
  for (const vector of vectors.unpack) {
    const note = JSON.stringify(vector)
    const data = Buffer.from(vector.hex, 'hex')
    if (vector.values) {
      t.deepEqual(unpack(vector.format, data).map(show), vector.values.map(fromVector).map(show), note)
    } else {
      t.throws(() => unpack(vector.format, data), structError, note)
    }
  }
})

test('a layout lists where the values are, without padding and empty repeats', (t) => {
  t.deepEqual(parseFormat('B2h3x5s0q'), {
    size: 16,
    littleEndian: true,
    items: [
      { letter: 'B', offset: 0, length: 1, count: 1 },
      { letter: 'h', offset: 2, length: 2, count: 2 },
      { letter: 's', offset: 9, length: 5, count: 1 },
    ],
  })
  t.false(parseFormat('>H').littleEndian)
  t.false(parseFormat('!H').littleEndian)
  t.true(parseFormat('=H').littleEndian)
})

test('huge counts are refused without allocating anything', (t) => {
  const before = process.memoryUsage().rss
  const huge = ['4294967295B', '2147483647B', '<536870911i', '99999999999999999999x', '2147483648s', '2147483648x']
  for (const format of [...huge, `${'9'.repeat(400)}h`, `${'9'.repeat(400)}s`]) {
    t.throws(() => parseFormat(format), structError, format)
    t.throws(() => calcSize(format), structError, format)
    t.throws(() => pack(format, []), structError, format)
    t.throws(() => unpack(format, Buffer.alloc(0)), structError, format)
  }
  t.true(process.memoryUsage().rss - before < 64 * 2 ** 20)
})

test('values are limited in number, counted after repeats', (t) => {
  t.is(calcSize('8192B'), 8192)
  t.throws(() => calcSize('8193B'), { instanceOf: StructError, message: "'B' takes the format past 8192 values" })
  t.throws(() => calcSize('8192Bs'), structError)
  t.throws(() => calcSize('0s'.repeat(8193)), structError)
  t.is(calcSize('9000s9000x'), 18_000)
  t.is(calcSize('0h'.repeat(9000)), 0)
  t.is(parseFormat('3B', { maxItems: 3 }).size, 3)
  t.throws(() => parseFormat('2BxB1s', { maxItems: 3 }), structError)
  t.is(parseFormat('10000B', { maxItems: 10_000 }).size, 10_000)
})

test('sizes are limited, padding included', (t) => {
  t.is(calcSize('2147483647x'), 2 ** 31 - 1)
  t.is(parseFormat('bi', { maxSize: 8 }).size, 8)
  t.throws(() => parseFormat('bi', { maxSize: 7 }), {
    instanceOf: StructError,
    message: "'i' takes the format past 7 bytes",
  })
  t.throws(() => parseFormat('b0i', { maxSize: 3 }), structError)
  t.is(parseFormat('<bi', { maxSize: 5 }).size, 5)
  t.is(parseFormat('2147483648x', { maxSize: 2 ** 32 }).size, 2 ** 31)
})

test('white space is allowed between items only', (t) => {
  t.is(calcSize('< h\t2b\n\v\f\r '), 4)
  t.is(calcSize(' h'), 2)
  for (const format of ['3 h', '3\nh', ' <h', '\u00a0h', 'h\u2003h', 'h\u001c', '3 ']) {
    t.throws(() => calcSize(format), structError, JSON.stringify(format))
  }
})

test('letters that are unknown or not ASCII are refused', (t) => {
  for (const format of [
    'é',
    '😀',
    'hé',
    '3é',
    '\ud800',
    '٣h',
    'h\0',
    'y',
    '<<h',
    'h<',
    '+1h',
    '-1h',
    '1.5h',
    '__proto__',
  ]) {
    t.throws(() => calcSize(format), structError, JSON.stringify(format))
  }
  t.throws(() => calcSize('<n'), { instanceOf: StructError, message: "'n' is not a letter of '<' formats" })
  t.throws(() => calcSize('é'), { instanceOf: StructError, message: "'é' is not a letter of native formats" })
  t.throws(() => calcSize('h12'), { instanceOf: StructError, message: /count .* has no letter/ })
})

test('an empty format has no values and no bytes', (t) => {
  for (const format of ['', '@', '<', ' ', '> \n']) {
    t.deepEqual(parseFormat(format).items, [])
    t.is(pack(format, []).length, 0)
    t.deepEqual(unpack(format, Buffer.alloc(0)), [])
  }
})

test('values of the wrong type are refused, with the letter named', (t) => {
  const bytes = Buffer.from('a')
  const wrong: [letters: string, values: unknown[]][] = [
    ['bBhHiIlLqQnNP', [0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', bytes, null, undefined, {}, [1]]],
    ['efd', [true, '1', bytes, null, undefined, {}]],
    ['?', ['', 'x', null, undefined, {}]],
    ['csp', [1, 1n, true, 'a', [97], new Uint16Array(1), bytes.buffer, null, undefined]],
  ]
  for (const [letters, values] of wrong) {
    for (const letter of letters) {
      for (const value of values) {
        const error = t.throws(() => pack(letter, [value as StructValue]), structError)
        t.true(error?.message.startsWith(`'${letter}' takes`), error?.message)
      }
    }
  }
  t.throws(() => pack('0s0p', [bytes, 1]), structError)
})

test('a range error names the letter and its range', (t) => {
  t.throws(() => pack('b', [128]), { name: 'StructError', message: "'b' takes an integer from -128 to 127" })
  t.throws(() => pack('<L', [-1]), { message: "'L' takes an integer from 0 to 4294967295" })
  t.throws(() => pack('Q', [-1]), { message: "'Q' takes an integer from 0 to 18446744073709551615" })
  t.throws(() => pack('e', [65_520]), { message: /^float too large: 'e' takes numbers between -65520 and 65520$/ })
  t.throws(() => pack('2h', [1]), { message: 'the format takes 2 values, not 1' })
  t.throws(() => unpack('<h', Buffer.alloc(3)), { message: 'the format takes 2 bytes, not 3' })
})

test('integers can be given as numbers, bigints and booleans', (t) => {
  for (const letter of 'bBhHiIlLqQnNP') {
    t.deepEqual(unpack(`2${letter}`, pack(`2${letter}`, [7n, true])), [7, 1])
  }
  t.throws(() => pack('<q', [2 ** 63]), structError)
  t.deepEqual(unpack('>q', pack('>q', [-(2 ** 63)])), [-(2n ** 63n)])
})

test('integers unpack as numbers exactly as long as they are safe', (t) => {
  const safe = Number.MAX_SAFE_INTEGER
  t.deepEqual(unpack('2q', pack('2q', [safe, -safe])), [safe, -safe])
  t.deepEqual(unpack('2q', pack('2q', [2n ** 53n, -(2n ** 53n)])), [2n ** 53n, -(2n ** 53n)])
  t.deepEqual(unpack('<Q', pack('<Q', [2n ** 64n - 1n])), [2n ** 64n - 1n])
})

test('a pointer takes negative integers and wraps them around', (t) => {
  t.deepEqual(unpack('P', pack('P', [-1])), [2n ** 64n - 1n])
  t.throws(() => pack('P', [-(2n ** 63n) - 1n]), structError)
  t.throws(() => pack('P', [2n ** 64n]), structError)
})

test('a float takes a bigint unless it is beyond every finite double', (t) => {
  t.deepEqual(unpack('<efd', pack('<efd', [2n, -3n, 2n ** 70n])), [2, -3, 2 ** 70])
  t.deepEqual(unpack('f', pack('f', [2n ** 200n])), [Number.POSITIVE_INFINITY])
  for (const format of ['f', 'd', '<d']) t.throws(() => pack(format, [2n ** 1024n]), { instanceOf: StructError })
  for (const format of ['e', '<f']) t.throws(() => pack(format, [-(2n ** 200n)]), { message: /^float too large/ })
})

test('booleans pack by Python’s truth values', (t) => {
  const values = [false, true, 0, -0, 0n, 2, -1n, 10n ** 400n, Number.NaN, Buffer.alloc(0), Buffer.alloc(1)]
  t.is(pack('11?', values).toString('hex'), '0001000000010101010001')
})

test('singles overflow where rounding would reach infinity, except in native formats', (t) => {
  const largest = 3.4028235677973362e38
  const overflow = 3.4028235677973366e38
  t.is(pack('>f', [largest]).toString('hex'), '7f7fffff')
  t.throws(() => pack('>f', [overflow]), { instanceOf: StructError, message: /^float too large/ })
  t.throws(() => pack('=f', [-overflow]), structError)
  t.deepEqual(unpack('2f', pack('2f', [overflow, -overflow])), [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  t.is(pack('>2f', [Number.NEGATIVE_INFINITY, -0]).toString('hex'), 'ff80000080000000')
})

test('every half float survives unpacking and packing', (t) => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const data = Buffer.from([bits & 0xff, bits >> 8])
    const value = Number(unpack('<e', data)[0])
    if (Number.isNaN(value)) {
      t.true((bits & 0x7fff) > 0x7c00)
      t.is(pack('>e', [Number.NaN]).toString('hex'), '7e00')
    } else if (!data.equals(pack('<e', [value]))) {
      t.fail(`${bits.toString(16)} came back different`)
    }
  }
})

test('half floats round to the nearest neighbour, and ties to the even one', (t) => {
  const half = (bits: number) => Number(unpack('>e', pack('>H', [bits]))[0])
  const bitsOfHalf = (value: number) => Number(unpack('>H', pack('>e', [value]))[0])
  for (let bits = 0; bits < 0x7bff; bits++) {
    const tie = (half(bits) + half(bits + 1)) / 2
    const nudge = tie * Number.EPSILON
    const found = [tie - nudge, tie, tie + nudge].map(bitsOfHalf)
    const even = bits % 2 === 0 ? bits : bits + 1
    if (found[0] !== bits || found[1] !== even || found[2] !== bits + 1) t.fail(`${tie} gave ${found.join()}`)
  }
  t.is(bitsOfHalf(65_519.99), 0x7bff)
  t.is(bitsOfHalf(Number.MIN_VALUE), 0)
  t.is(bitsOfHalf(-Number.MIN_VALUE), 0x8000)
  for (const value of [65_520, -65_520, Number.MAX_VALUE]) t.throws(() => pack('e', [value]), structError)
})

test('a Pascal string is truncated to the room behind its length byte', (t) => {
  const long = Buffer.alloc(400, 'a')
  t.is(pack('<3px', [long]).toString('hex'), '02616100')
  t.is(pack('<p', [long]).toString('hex'), '00')
  const packed = pack('300p', [long])
  t.is(packed[0], 255)
  t.is(packed.toString('latin1', 1), 'a'.repeat(299))
  t.deepEqual(unpack('300p', packed), [new Uint8Array(long.subarray(0, 255))])
  t.is(pack('b0pb', [1, long, 2]).toString('hex'), '0102')
  t.throws(() => unpack('b0pb', Buffer.from([1, 2])), { instanceOf: StructError, message: /'0p'/ })
})

test('data may be a view into a larger buffer, and unpacked values share no memory with it', (t) => {
  const data = new Uint8Array([9, 9, 1, 2, 97, 98, 2, 99, 100, 101, 9]).subarray(2, 10)
  const values = unpack('>H2s3pc', data)
  data.fill(0)
  t.deepEqual(values.map(show), [show(0x102), 'bytes 6162', 'bytes 6364', 'bytes 65'])
})

test('random structs survive a round trip', (t) => {
  let state = 0x5eed
  // Numerical Recipes' linear congruential generator: its high bits are random enough to choose cases.
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  const below = (limit: number) => Math.floor(random() * limit)
  const bytes = (length: number) => Uint8Array.from({ length }, () => below(256))
  const integer = (letter: string, size: number) => {
    const wide = BigInt.asUintN(
      size * 8,
      bytes(8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n),
    )
    const exact = letter === letter.toLowerCase() ? BigInt.asIntN(size * 8, wide) : wide
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact
  }
  const fraction = () => (below(2048) - 1024) / 2 ** below(8)
  const valueFor = (letter: string, length: number): StructValue => {
    if ('efd'.includes(letter)) return fraction()
    if (letter === '?') return random() < 0.5
    if (letter === 'p') return bytes(below(Math.min(length, 256)))
    return 'cs'.includes(letter) ? bytes(length) : integer(letter, length)
  }

  for (let round = 0; round < 2000; round++) {
    const prefix = ['', '@', '=', '<', '>', '!'][below(6)] ?? ''
    const native = prefix === '' || prefix === '@'
    const letters = native ? 'xcbB?hHiIlLqQnNefdspP' : 'xcbB?hHiIlLqQefdsp'
    const tokens = Array.from({ length: 1 + below(8) }, () => {
      const letter = letters.charAt(below(letters.length))
      return `${random() < 0.5 ? '' : below(5) + Number(letter === 'p')}${letter}${random() < 0.2 ? ' ' : ''}`
    })
    const format = prefix + tokens.join('')
    const { size, items } = parseFormat(format)
    let end = 0
    for (const { letter, offset, length, count } of items) {
      t.true(offset >= end, format)
      if (native && !'sp'.includes(letter)) t.is(offset % length, 0, format)
      end = offset + length * count
    }
    t.true(size >= end, format)
    const values = items.flatMap(({ letter, length, count }) =>
      Array.from({ length: count }, () => valueFor(letter, length)),
    )
    const packed = pack(format, values)
    t.is(packed.length, size, format)
    const unpacked = unpack(format, packed)
    t.deepEqual(unpacked.map(show), values.map(show), format)
    t.true(pack(format, unpacked).equals(packed), format)
  }
})
