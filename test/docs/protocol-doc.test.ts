import { readFileSync } from 'node:fs'
import test from 'ava'
import { limitTable } from '../../cli/output/limit-table.ts'
import { protocolTables } from '../../cli/output/protocol-tables.ts'
import { BUILT_IN_MESSAGES } from '../../client/index.ts'
import { Catalogue, encode, LIMITS, Ping } from '../../core/index.ts'
import { BUILT_IN_FAILURES, SendMessage } from '../../plugins/index.ts'
import { generatedPart } from '../support/wire/generated-part.ts'

const document = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8')

test('the tables of docs/PROTOCOL.md match the definitions', (t) => {
  t.is(generatedPart(document), protocolTables([...new Catalogue(BUILT_IN_MESSAGES)]))
})

test('the limits of docs/OPERATIONS.md match those of the server', (t) => {
  const operations = readFileSync(new URL('../../../docs/OPERATIONS.md', import.meta.url), 'utf8')
  t.is(generatedPart(operations), limitTable())
})

test('the example bytes of the document match the codec', (t) => {
  const [ping, send] = [...document.matchAll(/^ {4}(00 00 00 (?:5a|0b) [0-9a-f ]+)$/gm)].map(([, hex = '']) =>
    Buffer.from(hex.replace(/ /g, ''), 'hex'),
  )
  t.deepEqual(ping, encode(Ping, 7, {}))
  // The example leaves the trailing fields out, which the encoder never does.
  const full = encode(SendMessage, 8, { to: 'bob', text: 'hi' })
  t.deepEqual(send?.subarray(-9), full.subarray(12 + full.readUInt32BE(4)).subarray(0, 9))
})

test('the limits of the document match the defaults', (t) => {
  const {
    messageBeforeLogin,
    message,
    formatBeforeLogin,
    format,
    valuesBeforeLogin,
    values,
    requestRate,
    requestBurst,
  } = LIMITS
  const number = ({ value }: { value: number }) => value.toLocaleString('en')
  for (const row of [
    `| whole message, header included | ${number(messageBeforeLogin)} bytes | ${number(message)} bytes |`,
    `| format | ${number(formatBeforeLogin)} bytes | ${number(format)} bytes |`,
    `| values in one message | ${number(valuesBeforeLogin)} | ${number(values)} |`,
    `${number(requestRate)} requests/s after a burst of ${number(requestBurst)}`,
  ]) {
    t.true(document.includes(row), row)
  }
})

test('failure codes are unique, and each has one line of text', (t) => {
  const codes = Object.values(BUILT_IN_FAILURES).map(({ code }) => code)
  t.is(new Set(codes).size, codes.length)
  for (const { text } of Object.values(BUILT_IN_FAILURES)) t.regex(text, /^[^\n]{5,100}$/)
})
