import test from 'ava'
import { BUILT_IN_MESSAGES, SendMessage } from '../../client/index.ts'
import {
  bool,
  bytes,
  Catalogue,
  clientMessage,
  decode,
  encode,
  type Frame,
  float64,
  fromEntries,
  HEADER_BYTES,
  int8,
  int16,
  int32,
  int64,
  line,
  list,
  type Message,
  MessageSplitter,
  optional,
  readRef,
  serverMessage,
  text,
  toEntry,
  uint8,
  uint16,
  uint32,
  uint64,
  WireError,
} from '../../core/index.ts'
import { calcSize, unpack } from '../../plugins/legacy/struct.ts'
import { dataOf, formatOf, frame } from '../support/wire/frames.ts'
import { nameOf, sampleValues } from '../support/wire/samples.ts'

const LIMITS = { message: 1 << 20, format: 1 << 16, values: 8192 }
const VALUES = LIMITS.values

const Everything = serverMessage({
  type: 2000,
  name: 'everything',
  about: '',
  fields: {
    flag: bool(''),
    byte: uint8(''),
    short: uint16(''),
    long: uint32(''),
    huge: uint64(''),
    tiny: int8(''),
    small: int16(''),
    whole: int32(''),
    far: int64(''),
    real: float64(''),
    name: line(''),
    body: text(''),
    raw: bytes(''),
    things: list('', { id: uint64(''), label: optional(line(''), 'none') }, { max: 3 }),
  },
})

const VALUES_OF_EVERYTHING = {
  flag: true,
  byte: 255,
  short: 65_535,
  long: 4_294_967_295,
  huge: 2 ** 53 - 1,
  tiny: -128,
  small: -32_768,
  whole: -(2 ** 31),
  far: -(2 ** 53 - 1),
  real: -0.1,
  name: '小鹰',
  body: 'two\nlines 😀',
  raw: Buffer.from([0, 255]),
  things: [{ id: 1, label: 'one' }, { id: 2 }],
}

function frameOf(encoded: Buffer): Frame {
  const [frame] = [...new MessageSplitter(LIMITS).push(encoded)]
  if (frame === undefined) throw new Error('no frame')
  return frame
}

test('the bytes of a message follow the document', (t) => {
  const SendLike = clientMessage({
    type: 11,
    name: 'send_like',
    about: '',
    allow: 'user',
    fields: { to: line(''), text: text('') },
  })
  const expected = Buffer.from([
    ...[0, 0, 0, 11], // type
    ...[0, 0, 0, 6], // length of the format
    ...[0, 0, 0, 9], // length of the data
    ...Buffer.from('!L3s2s'),
    ...[0, 0, 0, 8], // ref
    ...Buffer.from('bob'),
    ...Buffer.from('hi'),
  ])
  t.deepEqual(encode(SendLike, 8, { to: 'bob', text: 'hi' }), expected)
  t.deepEqual(decode(SendLike, frameOf(expected), VALUES), { ref: 8, values: { to: 'bob', text: 'hi' } })
})

test('every kind of field survives a round trip at the limits of its range', (t) => {
  const decoded = decode(Everything, frameOf(encode(Everything, 9, VALUES_OF_EVERYTHING)), VALUES)
  t.is(decoded.ref, 9)
  t.deepEqual(decoded.values, {
    ...VALUES_OF_EVERYTHING,
    things: [
      { id: 1, label: 'one' },
      { id: 2, label: 'none' },
    ],
  })
})

test('data equals the output of Python’s struct for the format', (t) => {
  const whole = frameOf(encode(Everything, 9, VALUES_OF_EVERYTHING))
  t.is(calcSize(formatOf(whole)), dataOf(whole).length)
  const [ref, flag, byte, , , huge] = unpack(formatOf(whole), dataOf(whole))
  t.deepEqual([ref, flag, byte, huge === BigInt(2 ** 53 - 1) || huge === 2 ** 53 - 1], [9, true, 255, true])
})

for (const message of BUILT_IN_MESSAGES) {
  test(`${nameOf(message)} decodes across every chunk boundary, and is refused at every truncation`, (t) => {
    const encoded = encode(message, 77, sampleValues(message.fields) as never)
    const expected = decode(message, frameOf(encoded), VALUES)
    t.is(expected.ref, 77)
    // Twice the message, cut in two at each byte: both must come out whole.
    const twice = Buffer.concat([encoded, encoded])
    for (let cut = 0; cut <= twice.length; cut++) {
      const splitter = new MessageSplitter(LIMITS)
      const frames = [...splitter.push(twice.subarray(0, cut))].map((found) => decode(message, found, VALUES))
      frames.push(...[...splitter.push(twice.subarray(cut))].map((found) => decode(message, found, VALUES)))
      t.is(frames.length, 2)
      t.deepEqual(frames[1], expected)
      t.false(splitter.pending)
    }
    const whole = frameOf(encoded)
    for (let end = whole.data; end < whole.end; end++)
      t.throws(() => decode(message, { ...whole, end }, VALUES), { instanceOf: WireError })
    const longer = frame(message.type, formatOf(whole), Buffer.concat([dataOf(whole), Buffer.from('x')]))
    t.throws(() => decode(message, longer, VALUES), { instanceOf: WireError })
  })
}

test('a stream fed byte by byte gives the same messages', (t) => {
  const encoded = encode(Everything, 9, VALUES_OF_EVERYTHING)
  const splitter = new MessageSplitter(LIMITS)
  const frames = [...encoded].flatMap((byte) => [...splitter.push(Buffer.from([byte]))])
  t.deepEqual(
    frames.map((found) => decode(Everything, found, VALUES)),
    [decode(Everything, frameOf(encoded), VALUES)],
  )
})

test('a message without format and data is complete with its header', (t) => {
  const splitter = new MessageSplitter(LIMITS)
  const header = Buffer.alloc(HEADER_BYTES)
  t.is([...splitter.push(Buffer.concat([header, header]))].length, 2)
  t.is([...splitter.push(header.subarray(0, 5))].length, 0)
  t.true(splitter.pending)
  t.is([...splitter.push(header.subarray(5))].length, 1)
})

test('an oversized message is refused by its header, before anything is buffered', (t) => {
  const header = (formatLength: number, dataLength: number) => {
    const bytes = Buffer.alloc(HEADER_BYTES)
    bytes.writeUInt32BE(formatLength, 4)
    bytes.writeUInt32BE(dataLength, 8)
    return bytes
  }
  for (const [format, data] of [
    [0xffffffff, 0xffffffff],
    [0, 0xffffffff],
    [0x80000000, 0x80000000],
    [LIMITS.format + 1, 0],
    [0, LIMITS.message - HEADER_BYTES + 1],
  ] as const) {
    t.throws(() => [...new MessageSplitter(LIMITS).push(header(format, data))], {
      instanceOf: WireError,
      message: /bytes/,
    })
  }
  t.notThrows(() => [...new MessageSplitter(LIMITS).push(header(0, LIMITS.message - HEADER_BYTES))])
})

const Small = serverMessage({
  type: 2001,
  name: 'small',
  about: '',
  fields: { id: uint32(''), name: line('', { min: 1, max: 4 }), note: optional(line(''), 'nothing') },
})

test('trailing fields with a default may be missing, others not', (t) => {
  const data = Buffer.from([0, 0, 0, 5, 0, 0, 0, 6, ...Buffer.from('bob')])
  t.deepEqual(decode(Small, frame(2001, '!LL3s', data), VALUES).values, { id: 6, name: 'bob', note: 'nothing' })
  t.throws(() => decode(Small, frame(2001, '!LL', data.subarray(0, 8)), VALUES), { message: /^name/ })
})

test('values beyond the definition are ignored, whatever their letters', (t) => {
  const known = Buffer.from([0, 0, 0, 5, 0, 0, 0, 6, ...Buffer.from('bobxy')])
  const more = Buffer.concat([known, Buffer.alloc(8 + 2 + 3 + 1)])
  t.deepEqual(decode(Small, frame(2001, '!LL3s2sQH3s?', more), VALUES).values, { id: 6, name: 'bob', note: 'xy' })
  t.throws(() => decode(Small, frame(2001, '!LL3s2sz', known), VALUES), { instanceOf: WireError })
})

test('list items may have more or fewer fields than the receiver’s definition', (t) => {
  const Listed = serverMessage({
    type: 2002,
    name: 'listed',
    about: '',
    fields: { all: list('', { id: uint8(''), size: optional(uint8(''), 9) }, { max: 2 }) },
  })
  const data = (...values: number[]) => Buffer.from([0, 0, 0, 1, 0, 0, 0, 2, ...values])
  t.deepEqual(decode(Listed, frame(2002, '!LLBBBBBB', data(1, 2, 3, 4, 5, 6)), VALUES).values, {
    all: [
      { id: 1, size: 2 },
      { id: 4, size: 5 },
    ],
  })
  t.deepEqual(decode(Listed, frame(2002, '!LLBB', data(1, 2)), VALUES).values.all, [
    { id: 1, size: 9 },
    { id: 2, size: 9 },
  ])
  t.throws(() => decode(Listed, frame(2002, '!LLBBB', data(1, 2, 3)), VALUES), { message: /do not make 2 groups/ })
  const many = Buffer.from([0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3])
  t.throws(() => decode(Listed, frame(2002, '!LLBBB', many), VALUES), { message: /more than 2/ })
  const none = Buffer.from([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])
  t.throws(() => decode(Listed, frame(2002, '!LL', none), VALUES), { instanceOf: WireError })
})

const ref = [0, 0, 0, 5]
const WRONG_FORMATS: readonly (readonly [string, string, number[]])[] = [
  ['no prefix', 'LL3s', [...ref, 0, 0, 0, 6, 98, 111, 98]],
  ['little endian', '<LL3s', [...ref, 0, 0, 0, 6, 98, 111, 98]],
  ['nothing', '', []],
  ['a name sent as a number', '!LLL', [...ref, 0, 0, 0, 6, 0, 0, 0, 0]],
  ['a number sent as text', '!L4s3s', [...ref, 48, 48, 48, 48, 98, 111, 98]],
  ['a count on a number', '!2L3s', [...ref, 0, 0, 0, 6, 98, 111, 98]],
  ['a leading zero', '!LL03s', [...ref, 0, 0, 0, 6, 98, 111, 98]],
  ['a string without length', '!LLs', [...ref, 0, 0, 0, 6, 98]],
  ['a length beyond the data', '!LL4294967295s', [...ref, 0, 0, 0, 6, 98]],
  ['a length of many digits', '!LL99999999999999999999s', [...ref, 0, 0, 0, 6, 98]],
  ['a blank', '!L L3s', [...ref, 0, 0, 0, 6, 98, 111, 98]],
  ['only the prefix', '!', []],
]

for (const [what, format, data] of WRONG_FORMATS) {
  test(`a format that differs from the definition is refused: ${what}`, (t) => {
    const error = t.throws(() => decode(Small, frame(2001, format, Buffer.from(data)), VALUES), {
      instanceOf: WireError,
    })
    t.true(error?.code === 'format' || error?.code === 'length', error?.code)
  })
}

test('trailing fields with their default, of a message or in all items of its list, are not sent', (t) => {
  const hello = { to: 'bob', text: 'hi' }
  for (const values of [hello, { ...hello, clientId: '', hops: 0, file: 0 }])
    t.is(formatOf(frameOf(encode(SendMessage, 8, values))), '!L3s2s')
  t.is(formatOf(frameOf(encode(SendMessage, 8, { ...hello, clientId: 'x' }))), '!L3s2s1s')
  const Page = serverMessage({
    type: 903,
    name: 'page',
    about: 'A page.',
    fields: {
      items: list('items', { id: uint8('id'), note: optional(line('note'), ''), seen: optional(bool('seen'), false) }),
    },
  })
  const sent = (items: { id: number; note?: string; seen?: boolean }[]) => {
    const bytes = frameOf(encode(Page, 0, { items }))
    t.deepEqual(
      decode(Page, bytes, VALUES).values.items,
      items.map(({ id, note = '', seen = false }) => ({ id, note, seen })),
    )
    return formatOf(bytes)
  }
  t.is(sent([{ id: 1 }, { id: 2, note: '', seen: false }]), '!LLBB')
  t.is(sent([{ id: 1 }, { id: 2, note: 'x' }]), '!LLB0sB1s')
  t.is(sent([{ id: 1, seen: true }, { id: 2 }]), '!LLB0s?B0s?')
  t.is(sent([]), '!LL')
})

test('values outside a field’s limits are refused with the field’s name, on both sides', (t) => {
  const good = { id: 1, name: 'bob' }
  for (const [wrong, field] of [
    [{ ...good, id: -1 }, 'id'],
    [{ ...good, id: 1.5 }, 'id'],
    [{ ...good, id: Number.NaN }, 'id'],
    [{ ...good, id: '1' }, 'id'],
    [{ ...good, name: '' }, 'name'],
    [{ ...good, name: 'toolong' }, 'name'],
    [{ ...good, name: 'a\nb' }, 'name'],
    [{ ...good, name: '\u202ex' }, 'name'],
    [{ ...good, name: '\ud800' }, 'name'],
    [{ id: 1 }, 'name'],
    [{ ...good, note: 5 }, 'note'],
  ] as const) {
    const error = t.throws(() => encode(Small, 0, wrong as never), { instanceOf: WireError })
    t.is(error?.field, field)
    t.is(error?.code, 'value')
  }
  const received = (name: number[]) => frame(2001, `!LL${name.length}s`, Buffer.from([...ref, 0, 0, 0, 1, ...name]))
  for (const name of [[], [1], [0xc3], [0xe2, 0x80, 0xae], [98, 98, 98, 98, 98], [0xed, 0xa0, 0x80]]) {
    t.is(t.throws(() => decode(Small, received(name), VALUES), { instanceOf: WireError })?.code, 'value', String(name))
  }
  const tooBig = serverMessage({ type: 2003, name: 'big', about: '', fields: { n: uint64('') } })
  const data = Buffer.from([...ref, 0, 0x20, 0, 0, 0, 0, 0, 0])
  t.is(t.throws(() => decode(tooBig, frame(2003, '!LQ', data), VALUES), { instanceOf: WireError })?.code, 'value')
})

test('more values than the receiver’s limit are refused', (t) => {
  const data = Buffer.concat([Buffer.from([...ref, 0, 0, 0, 6, 98]), Buffer.alloc(100)])
  const wide = frame(2001, `!LL1s${'0s'.repeat(50)}`, data.subarray(0, 9))
  t.is(t.throws(() => decode(Small, wide, 20), { instanceOf: WireError })?.code, 'oversized')
})

test('the ref of an undecodable message is still read', (t) => {
  t.is(readRef(frame(1, '!Lxyz', Buffer.from([0, 0, 1, 0]))), 256)
  t.is(readRef(frame(1, '!Q', Buffer.alloc(8))), 0)
  t.is(readRef(frame(1, '', Buffer.alloc(0))), 0)
})

test('a definition that cannot be encoded is refused', (t) => {
  const define = (fields: Message['fields'], type = 1, name = 'x') => serverMessage({ type, name, about: '', fields })
  t.throws(() => define({ ref: uint8('') }), { message: /ref/ })
  t.throws(() => define({ a: list('', {}), b: uint8('') }), { message: /last/ })
  t.throws(() => define({ a: list('', { b: list('', {}) }) }), { message: /list in a list/ })
  t.throws(() => define({ a: optional(uint8(''), 1), b: uint8('') }), { message: /required field after an optional/ })
  t.throws(() => define({}, 0), { message: /number/ })
  t.throws(() => define({}, 1, 'Not Snake'), { message: /snake_case/ })
})

test('two messages of one number or one name are refused', (t) => {
  const a = serverMessage({ type: 1, name: 'a', about: '', fields: {} })
  const catalogue = new Catalogue([a])
  t.notThrows(() => catalogue.add(a))
  t.throws(() => catalogue.add({ ...a, name: 'b' }, 'polls'), { message: /polls defines message 1 b, but 1 a/ })
  t.throws(() => catalogue.add({ ...a, type: 2 }), { message: /already defined/ })
})

test('the catalogue survives JSON and encodes the same bytes', (t) => {
  const learned = fromEntries(JSON.parse(JSON.stringify(BUILT_IN_MESSAGES.map(toEntry))))
  for (const message of BUILT_IN_MESSAGES) {
    const values = sampleValues(message.fields) as never
    const twin = learned.byType(message.type)
    t.is(twin?.name, message.name)
    t.deepEqual(encode(twin as Message, 5, values), encode(message, 5, values), message.name)
    if (message.from === 'client' && twin?.from === 'client') {
      t.is(twin.allow, message.allow)
      t.is(twin.reply?.name, message.reply?.name)
    }
  }
})
