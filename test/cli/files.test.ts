import { randomBytes } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { drawing, photo } from '../support/files/pictures.ts'
import { aliceAndBob, json, lines, works } from './alice-and-bob.ts'

const AS = { alice: ['--context', 'alice'], bob: ['--context', 'bob'] } as const

async function open(t: ExecutionContext, args: readonly string[] = []) {
  const { shell, room } = await aliceAndBob(t, args)
  const path = (name: string) => join(shell.folder, name)
  const put = (name: string, content: string | Uint8Array) => writeFile(path(name), content)
  const read = (name: string) => readFile(path(name))
  return { shell, room, path, put, read }
}

test('a file is sent with its text, listed, fetched and deleted', async (t) => {
  const { shell, put, read } = await open(t)
  const picture = await drawing(400, 300).png().toBuffer()
  await put('x.png', picture)
  const sent = json(await works(t, shell, ['send', 'bob', '--file', 'x.png', 'look', ...AS.alice, '-o', 'json']))
  t.like(sent, { to: 'bob', repeat: false })
  t.like(sent.file, { name: 'x.png', type: 'image/png', width: 400, height: 300 })
  const { id } = sent.file
  const [message] = json(await works(t, shell, ['inbox', ...AS.bob, '-o', 'json']))
  t.like(message, { text: 'look', file: { id, name: 'x.png', type: 'image/png', preview: true } })
  t.regex((await works(t, shell, ['history', 'alice', ...AS.bob])).stdout, /look \[file \d+: x\.png \(\d/)
  for (const where of [AS.alice, [...AS.bob, '--with', 'alice']])
    t.like(json(await works(t, shell, ['files', 'list', ...where, '-o', 'json']))[0], { id, name: 'x.png' })
  t.like(json(await works(t, shell, ['files', 'info', `${id}`, ...AS.bob, '-o', 'json'])), {
    id,
    own: false,
    held: false,
  })
  await mkdir(join(shell.folder, 'in'))
  t.is((await works(t, shell, ['files', 'get', `${id}`, '-o', 'in', ...AS.bob])).stdout, 'in/x.png\n')
  t.deepEqual(await read('in/x.png'), picture)
  t.like(json(await works(t, shell, ['files', 'get', `${id}`, '--preview', '-o', 'json', ...AS.bob])), {
    path: 'x.png.preview.webp',
  })
  t.is((await read('x.png.preview.webp')).subarray(8, 12).toString(), 'WEBP')
  t.like(json(await works(t, shell, ['files', 'usage', ...AS.alice, '-o', 'json'])), {
    files: 1,
    bytes: picture.length,
  })
  t.is((await shell.run(['files', 'delete', `${id}`, ...AS.bob])).code, 5)
  t.is((await works(t, shell, ['files', 'delete', `${id}`, ...AS.alice])).stdout, `${id}\n`)
  t.is((await shell.run(['files', 'get', `${id}`, ...AS.bob])).code, 5)
})

test('a room is restored from a backup of its database and a copy of its files', async (t) => {
  const { shell, room, path, put, read } = await open(t)
  const contents = ['kept', 'deleted later', 'sent later'].map((name) => ({ name, bytes: randomBytes(100_000) }))
  const ids: string[] = []
  const send = async ({ name, bytes }: { name: string; bytes: Buffer }) => {
    await put(name, bytes)
    const sent = json(await works(t, shell, ['send', 'bob', '--file', name, ...AS.alice, '-o', 'json']))
    ids.push(`${sent.file.id}`)
  }
  const [kept, deleted, later] = contents as [(typeof contents)[0], (typeof contents)[0], (typeof contents)[0]]
  await send(kept)
  await send(deleted)
  await works(t, shell, ['db', 'backup', 'room.db', '--data', './room'])
  // Between the backup and the end of the copy the room goes on.
  await works(t, shell, ['files', 'delete', `${ids[1]}`, ...AS.alice])
  await send(later)
  await cp(path('room/files'), path('copy'), { recursive: true })
  await room.stop()

  await rm(path('room/files'), { recursive: true })
  await rename(path('copy'), path('room/files'))
  await works(t, shell, ['db', 'restore', 'room.db', '--data', './room', '--yes'])
  await shell.serve(['--port', room.server.replace(/.*:/, '')])
  await works(t, shell, ['files', 'verify', '--data', './room'])
  for (const [index, { name, bytes }] of [kept, deleted].entries()) {
    await works(t, shell, ['files', 'get', `${ids[index]}`, '-o', `again-${index}`, ...AS.bob])
    t.true(bytes.equals(await read(`again-${index}`)), name)
  }
  t.is((await shell.run(['files', 'get', `${ids[2]}`, '-o', 'none', ...AS.bob])).code, 5)
})

test('stdin is sent as a file, and a file goes to stdout', async (t) => {
  const { shell } = await open(t)
  const text = 'make: *** [all] Error 1\n'.repeat(4000)
  const sent = await works(
    t,
    shell,
    ['send', 'bob', '--file', '-', '--name', 'build.log', ...AS.alice, '-o', 'json'],
    text,
  )
  const { id, size } = json(sent).file
  t.is(size, text.length)
  t.is((await works(t, shell, ['files', 'get', `${id}`, '-o', '-', ...AS.bob])).stdout, text)
  const [message] = json(await works(t, shell, ['inbox', ...AS.bob, '-o', 'json']))
  t.is(message.text, 'build.log (96 kB)')
  t.regex((await works(t, shell, ['inbox', ...AS.bob])).stdout, /build\.log \(96 kB\) \[file \d+\]/)
})

test('several files are sent as a message each, the first with the text, to a group and as an answer', async (t) => {
  const { shell, put } = await open(t)
  await put('a.txt', 'one')
  await put('b.txt', 'two')
  await works(t, shell, ['groups', 'create', 'ops', ...AS.alice])
  const asked = (await works(t, shell, ['send', '--group', 'ops', 'where is it?', ...AS.alice])).stdout.trim()
  const words = ['--file', 'a.txt', '--file', 'b.txt', 'both', '--group', 'ops', '--reply-to', asked]
  await works(t, shell, ['send', ...words, ...AS.alice])
  const messages = json(await works(t, shell, ['history', '--group', 'ops', ...AS.alice, '-o', 'json'])).slice(1)
  t.deepEqual(
    messages.map(({ text, file, replyTo }: { text: string; file: { name: string }; replyTo: number }) => [
      text,
      file.name,
      replyTo,
    ]),
    [
      ['both', 'a.txt', Number(asked)],
      ['b.txt (3 B)', 'b.txt', Number(asked)],
    ],
  )
})

test('a file is uploaded at once for a message at a set time', async (t) => {
  const { shell, put } = await open(t)
  await put('a.txt', 'content')
  const words = ['send', 'bob', '--file', 'a.txt', 'later', '--delay', '1h', ...AS.alice, '-o', 'json']
  t.like(json(await works(t, shell, words)), { to: 'bob', file: { name: 'a.txt', size: 7 } })
  t.like(json(await works(t, shell, ['scheduled', 'list', ...AS.alice, '-o', 'json'])), [{ text: 'later' }])
})

test('a file that is sent again is not uploaded again, and a changed one is', async (t) => {
  const { shell, put } = await open(t)
  await put('plan.txt', 'first')
  const send = async () => json(await works(t, shell, ['send', 'bob', '--file', 'plan.txt', ...AS.alice, '-o', 'json']))
  const [first, second] = [await send(), await send()]
  t.is(second.file.id, first.file.id)
  t.not(second.id, first.id)
  await put('plan.txt', 'other')
  const third = await send()
  t.not(third.file.id, first.file.id)
})

test('a fetched file never replaces another one unless it is told to, and goes on where it was', async (t) => {
  const { shell, put, read, path } = await open(t)
  const content = randomBytes(600_000)
  await put('data.bin', content)
  const { id } = json(await works(t, shell, ['send', 'bob', '--file', 'data.bin', ...AS.alice, '-o', 'json'])).file
  const get = (...more: string[]) => shell.run(['files', 'get', `${id}`, ...AS.bob, ...more])
  t.like(await get(), { code: 1, stdout: '' })
  await put('kept', 'mine')
  const refused = await get('-o', 'kept')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /there is a file kept already\n.*--force/)
  t.is((await read('kept')).toString(), 'mine')
  await symlink('/nowhere', path('link'))
  t.is((await get('-o', 'link')).code, 1)
  t.is((await get('-o', 'kept', '--force')).code, 0)
  t.deepEqual(await read('kept'), content)
  // A part of an earlier run, and one with other bytes.
  await put(`half.${id}.part`, content.subarray(0, 200_000))
  await put(`other.${id}.part`, randomBytes(200_000))
  await put(`long.${id}.part`, randomBytes(700_000))
  for (const name of ['half', 'other', 'long']) {
    t.is((await get('-o', name)).code, 0)
    t.deepEqual(await read(name), content)
  }
  t.deepEqual(
    (await readdir(shell.folder)).filter((name) => name.endsWith('.part')),
    [],
  )
})

test('listen saves files before it prints their messages, and hands them to programs', async (t) => {
  const { shell, put, read } = await open(t)
  await put('a.txt', 'content')
  await works(t, shell, ['send', 'bob', '--file', 'a.txt', '--name', '..\\.profile', ...AS.alice])
  await works(t, shell, ['send', 'bob', 'no file', ...AS.alice])
  const listened = await works(t, shell, ['listen', '--count', '2', '--no-ack', '--save-files', 'in', ...AS.bob])
  const [first, second] = lines(listened).map((line) => JSON.parse(line))
  const { id, saved } = first.file
  t.is(saved, join('in', `${id}-_profile`))
  t.is((await read(saved)).toString(), 'content')
  t.is(second.file, undefined)
  const { mtimeMs } = await stat(join(shell.folder, saved))
  const handler =
    '#!/bin/sh\necho "$CHATCTL_FILE_ID $CHATCTL_FILE_NAME $CHATCTL_FILE_SIZE $CHATCTL_FILE_TYPE $CHATCTL_FILE"\ngrep -o \'"saved":"[^"]*"\''
  await writeFile(join(shell.folder, 'handler'), handler, { mode: 0o755 })
  await works(t, shell, ['listen', '--exec', './handler', '--count', '1', '--save-files', 'in', ...AS.bob])
  const answers = json(await works(t, shell, ['history', 'bob', ...AS.alice, '-o', 'json']))
  t.is(answers.at(-1).text, `${id} .profile 7 text/plain ${saved}\n"saved":"${saved}"`)
  t.is((await stat(join(shell.folder, saved))).mtimeMs, mtimeMs)
})

test('a file that is gone is reported, and its message goes on', async (t) => {
  const { shell, put } = await open(t)
  await put('a.txt', 'content')
  const { id } = json(await works(t, shell, ['send', 'bob', '--file', 'a.txt', ...AS.alice, '-o', 'json'])).file
  await works(t, shell, ['files', 'delete', `${id}`, ...AS.alice])
  const listened = await works(t, shell, ['listen', '--count', '1', '--save-files', 'in', ...AS.bob])
  t.regex(listened.stderr, new RegExp(`file ${id} \\(a\\.txt\\) was not saved: there is no such file`))
  t.is(JSON.parse(listened.stdout).file.saved, undefined)
})

test('pictures lose the place where they were taken unless it is wanted, and broken ones are refused', async (t) => {
  const { shell, put } = await open(t)
  const original = await photo('jpeg')
  await put('photo.jpg', original)
  const sizeOf = async (...more: string[]) => {
    return json(await works(t, shell, ['send', 'bob', '--file', 'photo.jpg', ...more, ...AS.alice, '-o', 'json'])).file
      .size
  }
  t.true((await sizeOf()) < original.length)
  t.is(await sizeOf('--keep-metadata'), original.length)
  await put('cut.jpg', original.subarray(0, original.length / 2))
  const refused = await shell.run(['send', 'bob', '--file', 'cut.jpg', ...AS.alice])
  t.is(refused.code, 5)
  t.regex(refused.stderr, /the picture ends too early.*--keep-metadata/)
})

test('what is wrong with the words is said with exit code 2, before anything is sent', async (t) => {
  const { shell, put } = await open(t)
  await put('a.txt', 'content')
  await put('empty', '')
  const table: [string[], RegExp][] = [
    [['send', 'bob', '--file', 'nothing.txt'], /there is no file nothing\.txt/],
    [['send', 'bob', '--file', '.'], /is a folder/],
    [['send', 'bob', '--file', 'empty'], /empty is empty/],
    [['send', 'bob', '--file', ''], /--file is empty/],
    [['send', 'bob', '--file', '-'], /a stream has no name/],
    [['send', 'bob', '--file', '-', '--name', 'x', '-'], /stdin is the text or the file/],
    [['send', 'bob', 'text', '--name', 'x'], /--name goes with --file/],
    [['send', 'bob', 'text', '--keep-metadata'], /--keep-metadata goes with --file/],
    [['send', 'bob', '--file', 'a.txt', '--file', 'a.txt', '--name', 'x'], /--name is that of one file/],
    [['send', 'bob', '--file', 'a.txt', '--file', 'a.txt', '--id', 'x'], /--id names one message/],
    [['send', 'bob', '--file', 'a.txt', '--lines', '-'], /not with --file/],
    [['files', 'get', 'x'], /"x" is no id of a file/],
    [['files', 'list', '--with', 'bob', '--group', 'ops'], /--with or --group/],
    [['listen', '--type', 'user_typing', '--save-files', 'in'], /are for messages/],
    [['inbox', '-o', 'xml'], /--output: "xml" is none of table, json, ndjson, plain/],
  ]
  for (const [words, text] of table) {
    const ran = await shell.run([...words, ...AS.alice], { input: '' })
    t.is(ran.code, 2, words.join(' '))
    t.regex(ran.stderr, text)
  }
  t.deepEqual(json(await works(t, shell, ['history', 'bob', ...AS.alice, '-o', 'json'])), [])
})

test('too large a file is refused before it flows, from stdin too', async (t) => {
  const { shell, put } = await open(t, ['--limits', 'fileSize=1000'])
  await put('large', randomBytes(1001))
  const refused = await shell.run(['send', 'bob', '--file', 'large', ...AS.alice])
  t.is(refused.code, 5)
  t.regex(refused.stderr, /the file has 1 kB, at most 1 kB are allowed/)
  const streamed = await shell.run(['send', 'bob', '--file', '-', '--name', 'x', ...AS.alice], {
    input: 'x'.repeat(1001),
  })
  t.is(streamed.code, 5)
  t.regex(streamed.stderr, /no file of more than 1000 bytes/)
})

test('the operator sweeps the store, finds a flipped bit in it, and sees who stores how much', async (t) => {
  const { shell, put, path } = await open(t)
  await put('a.txt', 'content')
  const { id } = json(await works(t, shell, ['send', 'bob', '--file', 'a.txt', ...AS.alice, '-o', 'json'])).file
  const at = ['--data', './room', '-o', 'json']
  t.like(json(await works(t, shell, ['files', 'gc', '--dry-run', ...at])), { dryRun: true, files: 0, contents: 0 })
  t.like(json(await works(t, shell, ['files', 'quota', ...at])), [{ user: 'alice', files: 1, bytes: 7 }])
  await works(t, shell, ['files', 'verify', ...at])
  const { sha256 } = json(await works(t, shell, ['files', 'info', `${id}`, ...AS.bob, '-o', 'json']))
  await writeFile(path(join('room/files', sha256.slice(0, 2), sha256.slice(2))), 'Content')
  const checked = await shell.run(['files', 'verify', ...at])
  t.is(checked.code, 1)
  t.like(json(checked), [{ file: id, fault: 'differs' }])
})
