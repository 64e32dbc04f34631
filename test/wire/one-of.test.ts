import test from 'ava'
import {
  clientMessage,
  decode,
  encode,
  type Frame,
  fromEntries,
  HEADER_BYTES,
  line,
  type MessageEntry,
  MessageSplitter,
  oneOf,
  optional,
  toEntry,
  type ValuesOf,
  WireError,
} from '../../core/index.ts'

const Paint = clientMessage({
  type: 2001,
  name: 'paint',
  about: 'Paints it.',
  allow: 'user',
  fields: { color: oneOf('the colour', ['red', 'grün']), how: optional(oneOf('how', ['', 'twice']), '') },
})
/** The same definition in a peer that does not know the kind. */
const PaintLine = clientMessage({ ...Paint, fields: { color: line(''), how: optional(line(''), '') } })

const VALUES = 100

function frameOf(bytes: Buffer): Frame {
  const [frame] = new MessageSplitter({ message: 1000, format: 1000, values: VALUES }).push(bytes)
  return frame as Frame
}

test('a value of the set is encoded as its text, and is typed', (t) => {
  const values: ValuesOf<typeof Paint> = { color: 'grün', how: 'twice' }
  const bytes = encode(Paint, 7, values)
  t.deepEqual(bytes, encode(PaintLine, 7, values))
  t.is(bytes.toString('latin1', HEADER_BYTES, HEADER_BYTES + 6), '!L5s5s')
  t.deepEqual(decode(Paint, frameOf(bytes), VALUES).values, values)
  t.deepEqual(decode(Paint, frameOf(encode(PaintLine, 7, { color: 'red' })), VALUES).values, { color: 'red', how: '' })
})

for (const color of ['blue', '', 'Red', 'grun\u0308', 'red\n', 'r'.repeat(200)])
  test(`${JSON.stringify(color)} is refused, sent and received`, (t) => {
    const told = { instanceOf: WireError, code: 'value', message: 'color: must be one of red, grün' }
    t.throws(() => encode(Paint, 7, { color } as never), told)
    const { type, name, about, allow } = Paint
    const Any = clientMessage({ type, name, about, allow, fields: { color: line('', { max: 255 }) } })
    if (color.includes('\n')) return
    const received = t.throws(() => decode(Paint, frameOf(encode(Any, 7, { color })), VALUES), {
      instanceOf: WireError,
    })
    t.is(received?.code, 'value')
    if (color.length < 64) t.is(received?.message, told.message)
  })

test('the error names the empty text of a set', (t) => {
  t.throws(() => encode(Paint, 7, { color: 'red', how: 'thrice' as never }), {
    message: 'how: must be one of empty, twice',
  })
  t.throws(() => encode(Paint, 7, { color: 5 as never }), { message: 'color: needs text' })
})

test('in the JSON of a catalogue it is a line with values, which a client of an older version reads as a line', (t) => {
  const entry = JSON.parse(JSON.stringify(toEntry(Paint))) as MessageEntry
  const [color] = entry.fields
  t.like(color, { name: 'color', kind: 'line', values: ['red', 'grün'] })
  const learned = fromEntries([entry]).byName('paint')
  t.deepEqual(learned?.fields, Paint.fields)
  const older = { ...entry, fields: entry.fields.map(({ values: _values, ...field }) => field) }
  const known = fromEntries([older]).byName('paint')
  if (known?.from !== 'client') return t.fail('not learned')
  t.deepEqual(decode(Paint, frameOf(encode(known, 7, { color: 'red', how: '' })), VALUES).values, {
    color: 'red',
    how: '',
  })
})

test('a set that cannot be encoded is an error at its definition', (t) => {
  for (const values of [[], ['a\nb'], ['x'.repeat(65)]]) t.throws(() => oneOf('', values), { instanceOf: TypeError })
})
