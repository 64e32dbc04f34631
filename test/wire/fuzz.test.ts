import { duplexPair } from 'node:stream'
import test from 'ava'
import { BUILT_IN_MESSAGES } from '../../client/index.ts'
import { decode, encode, type Frame, type Message, MessageSplitter, WireError } from '../../core/index.ts'
import {
  generateKeyPair,
  HandshakeState,
  MAGIC,
  NoiseError,
  openRecord,
  RecordSplitter,
  sealRecords,
} from '../../core/noise/index.ts'
import { startLocalServer } from '../support/server.ts'
import { dataOf, formatOf, frame } from '../support/wire/frames.ts'
import { sampleValues, seeded } from '../support/wire/samples.ts'

/** Printed with every failure, to repeat the run. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_124)
const CASES = Number(process.env.FUZZ_CASES ?? 40_000)
const random = seeded(SEED)

/** One or a few small damages: flipped bits, lost, doubled or random bytes. */
function damage(bytes: Buffer): Buffer {
  let damaged = Buffer.from(bytes)
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(damaged.length + 1)
    switch (random.below(5)) {
      case 0:
        if (at < damaged.length) damaged[at] = (damaged[at] as number) ^ (1 << random.below(8))
        break
      case 1:
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + 1 + random.below(4))])
        break
      case 2:
        damaged = Buffer.concat([damaged.subarray(0, at), random.bytes(1 + random.below(4)), damaged.subarray(at)])
        break
      case 3:
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(Math.max(0, at - 3))])
        break
      default:
        damaged = damaged.subarray(0, at)
    }
  }
  return damaged
}

/** Feeds bytes in chunks of random size. */
function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(Math.min(bytes.length, 40))
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** Runs a case; only these errors are allowed. */
function survives(run: () => void, ...expected: (new (...args: never[]) => Error)[]) {
  try {
    run()
  } catch (error) {
    if (!expected.some((type) => error instanceof type)) throw new Error(`seed ${SEED}`, { cause: error })
  }
}

test('layer 1: a malformed handshake or record fails with its error', (t) => {
  const s = generateKeyPair()
  const initiator = new HandshakeState({ initiator: true, prologue: MAGIC })
  const first = Buffer.concat([MAGIC, Buffer.from([0, 32]), initiator.writeMessage()])
  const responder = new HandshakeState({ initiator: false, prologue: MAGIC, s })
  responder.readMessage(first.subarray(10))
  initiator.readMessage(responder.writeMessage())
  const [sender, receiver] = [initiator.result?.send, responder.result?.receive]
  if (sender === undefined || receiver === undefined) return t.fail('no handshake')
  const record = sealRecords(sender, Buffer.from('a message of some length'))
  for (let n = 0; n < CASES; n++) {
    const isHandshake = n % 4 === 0
    const splitter = new RecordSplitter(isHandshake ? { magic: MAGIC, maxLength: 32 } : {})
    const bytes = n % 10 === 9 ? random.bytes(random.below(80)) : damage(isHandshake ? first : record)
    survives(() => {
      for (const piece of inPieces(bytes)) {
        for (const body of splitter.push(piece)) {
          if (isHandshake) new HandshakeState({ initiator: false, prologue: MAGIC, s }).readMessage(body)
          else openRecord(receiver, body)
        }
      }
    }, NoiseError)
  }
  t.pass()
})

const LIMITS = { message: 4096, format: 255, values: 64 }

test('layer 2: a malformed stream fails with its error', (t) => {
  const messages = BUILT_IN_MESSAGES.map((message) => encode(message, 1, sampleValues(message.fields) as never))
  for (let n = 0; n < CASES; n++) {
    const stream = Buffer.concat([random.pick(messages), random.pick(messages), random.pick(messages)])
    const bytes = n % 10 === 9 ? random.bytes(random.below(200)) : damage(stream)
    const splitter = new MessageSplitter(LIMITS)
    survives(() => {
      for (const piece of inPieces(bytes)) for (const _frame of splitter.push(piece));
    }, WireError)
  }
  t.pass()
})

const PIECES = [
  '!',
  '<',
  '@',
  '=',
  '>',
  ...'?BHLQbhlqdsxcinNPpef',
  '0',
  '1',
  '4294967295',
  '65536',
  '00',
  ' ',
  '-',
  'Z',
  '\0',
]

function strangeFormat(real: string): string {
  if (random.below(3) === 0) return Array.from({ length: random.below(12) }, () => random.pick(PIECES)).join('')
  const at = random.below(real.length + 1)
  return real.slice(0, at) + random.pick(PIECES) + real.slice(at + random.below(3))
}

test('layer 3: a malformed format or data fails with its error', (t) => {
  const frames: [Message, Frame][] = BUILT_IN_MESSAGES.map((message) => {
    const [frame] = [
      ...new MessageSplitter({ ...LIMITS, message: 1 << 20, format: 1 << 16 }).push(
        encode(message, 1, sampleValues(message.fields) as never),
      ),
    ]
    return [message, frame as Frame]
  })
  for (let n = 0; n < CASES; n++) {
    const [message, whole] = random.pick(frames)
    const [format, data] = [formatOf(whole), dataOf(whole)]
    const strange = n % 2 === 0 ? Buffer.from(strangeFormat(format), 'latin1') : damage(Buffer.from(format, 'latin1'))
    survives(
      () => decode(message, frame(whole.type, strange, n % 3 === 0 ? damage(data) : data), LIMITS.values),
      WireError,
    )
  }
  t.pass()
})

test('a server survives peers that send damaged streams, and serves the next one', async (t) => {
  const server = await startLocalServer(t, { limits: { unauthenticatedPerAddress: 1000, unauthenticated: 1000 } })
  const messages = BUILT_IN_MESSAGES.map((message) => encode(message, 1, sampleValues(message.fields) as never))
  for (let n = 0; n < 300; n++) {
    const [ours, theirs] = duplexPair()
    server.server.accept(theirs, { address: `peer ${n}`, isOperator: n % 2 === 0 })
    ours.on('error', () => {})
    const handshake = new HandshakeState({ initiator: true, prologue: MAGIC })
    const hello = Buffer.concat([MAGIC, Buffer.from([0, 32]), handshake.writeMessage()])
    if (n % 5 === 0) ours.write(damage(hello))
    else {
      ours.write(hello)
      const answer = await new Promise<Buffer>((resolve) => ours.once('data', resolve))
      handshake.readMessage(answer.subarray(2))
      const cipher = handshake.result?.send
      if (cipher === undefined) return t.fail('no handshake')
      // The streams are damaged inside the encryption: the server decrypts garbage.
      for (let times = 0; times < 8 && !ours.destroyed; times++)
        ours.write(sealRecords(cipher, damage(random.pick(messages))))
      if (n % 3 === 0) ours.write(damage(sealRecords(cipher, random.pick(messages))))
    }
    ours.end()
    if (n % 2 === 0) ours.destroy()
  }
  const alice = await server.user('alice')
  const bob = await server.user('bob')
  const { id } = await alice.send('bob', 'still here')
  t.is((await bob.inbox()).messages[0]?.id, id)
})
