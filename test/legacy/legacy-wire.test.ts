import test from 'ava'
import { type MessageLimits, WireError } from '../../core/wire/index.ts'
import {
  encodeFrame,
  FrameSplitter,
  MAX_PLAIN_BYTES,
  type OldFrame,
  roomFor,
  seal,
} from '../../plugins/legacy/frame.ts'
import { pack, type StructValue } from '../../plugins/legacy/struct.ts'
import { splitText } from '../../plugins/legacy/text.ts'
import { encrypt, packFrame } from '../support/original-client/original-client.ts'
import { seeded } from '../support/wire/samples.ts'
import { readVectors } from '../support/wire/vectors.ts'

interface Arg {
  readonly type: 'bytes' | 'int' | 'float'
  readonly hex?: string
  readonly value?: string
}

interface Vector {
  readonly note: string
  readonly type: number
  readonly fmt: string
  readonly args: readonly Arg[]
  readonly wire: string
  readonly fits_one_recv: boolean
}

const { vectors, unpack_inputs: inputs } = readVectors('seed-wire') as {
  vectors: Vector[]
  unpack_inputs: { note: string; input_hex: string }[]
}

const LIMITS: MessageLimits = { message: 64 * 1024, format: 1024, values: 256 }

/** Frames out of chunks of a stream. */
function receive(chunks: readonly Buffer[], limits = LIMITS): OldFrame[] {
  const splitter = new FrameSplitter(limits)
  return chunks.flatMap((chunk) => [...splitter.push(chunk)])
}

function argument({ type, hex = '', value = '' }: Arg): StructValue {
  if (type === 'bytes') return Buffer.from(hex, 'hex')
  return type === 'int' ? BigInt(value) : Number(value.replace('inf', 'Infinity').replace('nan', 'NaN'))
}

/** Comparable values: bytes as hex, numbers as in a format. */
const comparable = (values: readonly StructValue[]) =>
  values.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)))

const single = (value: StructValue) => (typeof value === 'number' ? Math.fround(value) : value)

test('every frame of the original is decoded, and encoded to the same digits', (t) => {
  t.true(vectors.length > 100)
  for (const { note, type, fmt, args, wire } of vectors) {
    const values = args.map(argument)
    t.is(seal(type, fmt, pack(fmt, values)).toString(), wire, note)
    const [frame, ...more] = receive([Buffer.from(wire)])
    t.is(more.length, 0)
    t.is(frame?.type, type, note)
    t.deepEqual(comparable(frame?.values ?? []), comparable(values.map(single)), note)
  }
})

test('server frames are encoded as the original does', (t) => {
  const texts = vectors.filter(({ type, args }) => type >= 100 && args.every((arg) => arg.type === 'bytes'))
  t.true(texts.length > 10)
  for (const { note, type, args, wire } of texts) {
    const values = args.map((arg) => Buffer.from(arg.hex ?? '', 'hex'))
    // Random bytes are not text.
    if (values.some((value) => !Buffer.from(value.toString()).equals(value))) continue
    t.is(encodeFrame(type, ...values.map(String)).toString(), wire, note)
  }
})

test('a stream is split by frame lengths, wherever its chunks end', (t) => {
  const some = vectors.filter(({ fits_one_recv: fits }) => fits).slice(0, 40)
  const stream = Buffer.from(some.map(({ wire }) => wire).join(''))
  const types = some.map(({ type }) => type)
  for (let at = 0; at <= stream.length; at++) {
    const frames = receive([stream.subarray(0, at), stream.subarray(at)])
    if (frames.length !== types.length || frames.some(({ type }, index) => type !== types[index]))
      t.fail(`cut at ${at}`)
  }
  const singly = receive([...stream].map((_, index) => stream.subarray(index, index + 1)))
  t.deepEqual(
    singly.map(({ type }) => type),
    types,
  )
})

test('frames are split where the original cannot: joined ones are two, a partial one waits, garbage is refused', (t) => {
  const outcome = (hex: string): number | string => {
    try {
      return receive([Buffer.from(hex, 'hex')]).length
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return error.code
    }
  }
  // As the original reads: each input is one read.
  t.deepEqual(Object.fromEntries(inputs.map(({ note, input_hex: hex }) => [note, outcome(hex)])), {
    'empty read (peer closed)': 0,
    'odd length': 0,
    'not hex': 'format',
    '15 bytes': 0,
    'one zero block': 1,
    'short header': 1,
    'two frames in one read': 2,
    'frame cut at a block border': 0,
    'failure type then garbage': 'oversized',
    'bad format text': 'format',
    'format shorter than the data': 'format',
    'capital hex digits': 1,
  })
})

test('lengths are checked on the first block, before anything is buffered', (t) => {
  const header = (format: number, data: number) => {
    const plain = Buffer.alloc(16)
    plain.writeUInt32BE(1, 0)
    plain.writeUInt32BE(format, 4)
    plain.writeUInt32BE(data, 8)
    return Buffer.from(encrypt(plain))
  }
  for (const [format, data] of [
    [0xffffffff, 0xffffffff],
    [LIMITS.format + 1, 0],
    [0, LIMITS.message],
  ] as const)
    t.throws(() => receive([header(format, data)]), { instanceOf: WireError, message: /a format of|a message of/ })
})

test('the values of a format are bounded by the data', (t) => {
  const cases: [format: string, data: Buffer][] = [
    ['9999999999s', Buffer.alloc(0)],
    ['4294967295L', Buffer.alloc(8)],
    ['999999999x', Buffer.alloc(0)],
    ['0s'.repeat(300), Buffer.alloc(0)],
    ['5s', Buffer.from('six...')],
    ['s5', Buffer.from('x')],
    ['\0\0', Buffer.alloc(2)],
  ]
  for (const [format, data] of cases)
    t.throws(() => receive([seal(11, format, data)]), { instanceOf: WireError }, format)
  // Invalid padding.
  const plain = Buffer.alloc(16, 1)
  plain.writeUInt32BE(88, 0)
  plain.writeUInt32BE(0, 4)
  plain.writeUInt32BE(0, 8)
  t.throws(() => receive([Buffer.from(encrypt(plain))]), { message: /longer than its header/ })
})

test('a mutated stream yields frames or is refused', (t) => {
  const random = seeded(20_181_124)
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(random.pick(vectors).wire)
    for (let flips = 1 + random.below(4); flips > 0; flips--)
      bytes[random.below(bytes.length)] = Buffer.from('0123456789abcdefg\n')[random.below(18)] as number
    t.notThrows(() => {
      try {
        receive([bytes])
      } catch (error) {
        if (!(error instanceof WireError)) throw error
      }
    })
  }
})

test('a long text is split between characters, and every piece fits a frame', (t) => {
  const before = ['alice', '2018年12月30日 23时59分59秒']
  for (const text of [
    'x'.repeat(5000),
    '长'.repeat(1500),
    '😀'.repeat(1000),
    '\n\n\n',
    'ends with one\n',
    'é'.repeat(959),
  ]) {
    const parts = splitText(text, roomFor(before, MAX_PLAIN_BYTES))
    for (const part of parts) {
      t.true(part.endsWith('\n') && part.isWellFormed())
      t.true(encodeFrame(121, ...before, part).length <= 4096)
    }
    t.is(parts.map((part) => part.slice(0, -1)).join(''), text.replace(/\n$/, ''))
  }
})

test('the scripted client of these tests encodes as the original does', (t) => {
  let compared = 0
  for (const { type, args, wire } of vectors) {
    const texts = args.map((arg) => Buffer.from(arg.hex ?? '', 'hex'))
    if (args.some((arg) => arg.type !== 'bytes') || texts.some((text) => !Buffer.from(String(text)).equals(text)))
      continue
    t.is(packFrame(type, ...texts.map(String)), wire)
    compared++
  }
  t.true(compared > 30)
})
