// The ceiling: a server that only decrypts, stores and forwards. No handshake, login, checks, friendships or resend
// detection, one index. Run by `npm run bench` as a separate process.
import { createServer, type Socket } from 'node:net'
import { CipherState, Outbox, openRecord, RecordSplitter } from '../core/noise/index.ts'
import { encode, MessageSplitter } from '../core/wire/index.ts'
import { MessageStored, OnNewMessage, SendMessage } from '../plugins/messages/messages.ts'
import { CEILING_KEY } from './ceiling.ts'
import { openStore } from './ceiling-store.ts'
import { Template, writeId } from './load/template.ts'

const LIMITS = { message: 1024 * 1024, format: 64 * 1024, values: 8192 }

const [where = '', size = '64'] = process.argv.slice(2)
const text = 'x'.repeat(Number(size))
const keep = await openStore(where, text)

const stored = new Template(encode(MessageStored, 0, { id: 0, sentAt: 1, repeat: false }))
const push = Template.of(OnNewMessage, {
  messages: [{ id: 0, kind: 1, from: 'a', to: 'b', text, sentAt: 1, unread: true }],
})

const peers: Outbox[] = []
let waiting: { peer: number; ref: number }[] = []

let isStoring = false

/** Stores all messages of a turn; those that come during a commit are stored in the next one. */
function storeSoon() {
  if (isStoring || waiting.length === 0) return
  isStoring = true
  setImmediate(() => void store())
}

async function store() {
  const batch = waiting
  waiting = []
  const ids = keep(batch.map(({ peer }) => peer))
  answer(batch, ids instanceof Promise ? await ids : ids)
  isStoring = false
  storeSoon()
}

function answer(batch: typeof waiting, ids: readonly number[]) {
  for (const [index, { peer, ref }] of batch.entries()) {
    const id = ids[index] as number
    const reply = stored.copy(ref)
    writeId(reply, id, stored.firstUint64)
    peers[peer]?.push(reply)
    const message = push.copy(0)
    // The id comes after the length of the list.
    writeId(message, id, push.firstUint64 + 4)
    peers[peer ^ 1]?.push(message)
  }
}

const server = createServer({ noDelay: true }, (socket: Socket) => {
  const peer = peers.length
  peers.push(new Outbox(socket, new CipherState(CEILING_KEY)))
  const receive = new CipherState(CEILING_KEY)
  const records = new RecordSplitter()
  const messages = new MessageSplitter(LIMITS)
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    for (const record of records.push(chunk)) {
      for (const { type, bytes, data } of messages.push(openRecord(receive, record))) {
        if (type !== SendMessage.type) continue
        waiting.push({ peer, ref: bytes.readUInt32BE(data) })
        storeSoon()
      }
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  process.stdout.write(`${JSON.stringify({ event: 'listening', port, pid: process.pid })}\n`)
})
