import test from 'ava'
import type { WebSocketLike } from '../../client/web-socket.ts'
import { WebSocketStream } from '../../client/web-socket-stream.ts'

/** A WebSocket whose network is the test. */
class FakeSocket implements WebSocketLike {
  bufferedAmount = 0
  binaryType = 'arraybuffer'
  onopen: WebSocketLike['onopen'] = null
  onmessage: WebSocketLike['onmessage'] = null
  onclose: WebSocketLike['onclose'] = null
  readonly sent: Uint8Array[] = []
  closeCalls = 0

  send(bytes: Uint8Array) {
    this.sent.push(bytes)
    this.bufferedAmount += bytes.length
  }

  close() {
    this.closeCalls++
  }

  receive(text: string) {
    this.onmessage?.({ data: Uint8Array.from(Buffer.from(text)).buffer })
  }
}

function openStream() {
  const socket = new FakeSocket()
  const stream = new WebSocketStream(socket)
  const heard: string[] = []
  stream.on('data', (chunk) => heard.push(chunk.toString()))
  stream.on('error', ({ message }) => heard.push(`error: ${message}`))
  const closed = new Promise<void>((resolve) => {
    stream.on('close', () => {
      heard.push('close')
      resolve()
    })
  })
  return { socket, stream, heard, closed }
}

const written = (stream: WebSocketStream, bytes: Buffer) =>
  new Promise<Error | null | undefined>((resolve) => {
    stream.write(bytes, resolve)
  })

test('a long write leaves in frames of 64 KiB', async (t) => {
  const { socket, stream } = openStream()
  const bytes = Buffer.alloc(150_000, 'abc')
  t.is(await written(stream, bytes), undefined)
  t.deepEqual(
    socket.sent.map(({ length }) => length),
    [65_536, 65_536, 18_928],
  )
  t.deepEqual(Buffer.concat(socket.sent), bytes)
  t.is(stream.writableLength, 150_000)
})

test('writes wait while the browser has not sent what it buffers, and leave in order', async (t) => {
  const { socket, stream } = openStream()
  await written(stream, Buffer.alloc(300_000))
  const frames = socket.sent.length
  let isWritten = false
  const second = written(stream, Buffer.from('second')).then(() => {
    isWritten = true
  })
  const third = written(stream, Buffer.from('third'))
  await Promise.resolve()
  t.is(socket.sent.length, frames)
  t.false(isWritten)
  t.is(stream.writableLength, 300_011)
  socket.bufferedAmount = 0
  await Promise.all([second, third])
  t.deepEqual(
    socket.sent.slice(frames).map((bytes) => Buffer.from(bytes).toString()),
    ['second', 'third'],
  )
})

test('end sends what waits, then closes; later writes fail', async (t) => {
  const { socket, stream, heard, closed } = openStream()
  await written(stream, Buffer.alloc(300_000))
  const last = written(stream, Buffer.from('last'))
  stream.end()
  t.false(stream.writable)
  t.is(socket.closeCalls, 0)
  socket.bufferedAmount = 0
  await last
  t.is(socket.closeCalls, 1)
  t.regex((await written(stream, Buffer.from('late')))?.message ?? '', /ended/)
  socket.onclose?.({ code: 1000, wasClean: true })
  await closed
  t.deepEqual(heard, ['close'])
})

test('destroy discards what waits and reports its error, after the caller has returned', async (t) => {
  const { socket, stream, heard, closed } = openStream()
  await written(stream, Buffer.alloc(300_000))
  const frames = socket.sent.length
  const waiting = written(stream, Buffer.from('never'))
  stream.destroy(new Error('no more'))
  stream.destroy(new Error('again'))
  t.true(stream.destroyed)
  t.deepEqual(heard, [])
  t.is((await waiting)?.message, 'no more')
  await closed
  socket.onclose?.({ code: 1000, wasClean: true })
  socket.receive('late')
  t.deepEqual(heard, ['error: no more', 'close'])
  t.is(socket.sent.length, frames)
  t.is(stream.writableLength, socket.bufferedAmount)
})

test('a paused stream keeps what it receives, in order, until resume', (t) => {
  const { socket, stream, heard } = openStream()
  socket.receive('one')
  stream.pause()
  socket.receive('two')
  socket.receive('')
  socket.receive('three')
  t.deepEqual(heard, ['one'])
  stream.resume()
  socket.receive('four')
  t.deepEqual(heard, ['one', 'two', 'three', 'four'])
})

test('a listener may pause the stream again', (t) => {
  const { socket, stream, heard } = openStream()
  stream.pause()
  socket.receive('one')
  socket.receive('two')
  stream.on('data', () => stream.pause())
  stream.resume()
  t.deepEqual(heard, ['one'])
  stream.resume()
  t.deepEqual(heard, ['one', 'two'])
})

test('a paused stream holds at most 1 MiB', async (t) => {
  const { socket, stream, heard, closed } = openStream()
  stream.pause()
  socket.receive('x'.repeat(1024 * 1024))
  t.false(stream.destroyed)
  socket.receive('x')
  await closed
  t.deepEqual(heard, ['error: the server sent data before the first request', 'close'])
})

test('the peer closes: the stream has ended; a cut is an error', async (t) => {
  const { socket, stream, heard, closed } = openStream()
  socket.onclose?.({ code: 1000, wasClean: true })
  await closed
  t.true(stream.readableEnded && stream.destroyed && !stream.writable)
  t.deepEqual(heard, ['close'])
  const cut = openStream()
  cut.socket.onclose?.({ code: 1006, wasClean: false })
  await cut.closed
  t.deepEqual(cut.heard, ['error: the WebSocket was cut (code 1006)', 'close'])
})

test('text in place of bytes ends the stream', async (t) => {
  const { socket, heard, closed } = openStream()
  socket.onmessage?.({ data: 'hello' })
  await closed
  t.deepEqual(heard, ['error: the server sent text over the WebSocket', 'close'])
})
