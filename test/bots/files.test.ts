import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'ava'
import { createBot } from '../../bot/index.ts'
import { BeginUpload } from '../../client/index.ts'
import { testServer } from '../../testing/index.ts'
import { enter, Gate, nextTexts, startBot } from '../support/bots/bots.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

test('a bot reads the file of a message, saves it, and answers with files', async (t) => {
  const folder = await tempFolder(t)
  await writeFile(join(folder, 'answer.txt'), 'from a path')
  const paths: string[] = []
  const bot = createBot({ name: 'files' }).message(async (ctx) => {
    const { file } = ctx
    if (file === undefined) return ctx.sendFile(ctx.from, join(folder, 'answer.txt'))
    const chunks: Buffer[] = []
    for await (const chunk of file.stream()) chunks.push(chunk)
    paths.push(await file.save(join(folder, 'inbox')), await file.save(join(folder, 'inbox')))
    const upper = Buffer.from(Buffer.concat(chunks).toString().toUpperCase())
    await ctx.replyFile(upper, { name: 'upper.txt', text: 'louder', quote: true })
    await ctx.replyFile(Readable.from([upper, upper]), { name: 'twice.txt' })
  })
  await using server = await testServer()
  await server.bot(bot, 'files')
  const ann = await server.user('ann')
  const { id, file } = await ann.sendsFile('files', Buffer.from('hello'), { name: '../a.txt', text: 'look' })
  t.like(await ann.hearsFile('upper.txt'), { text: 'louder', replyTo: id, content: Buffer.from('HELLO') })
  t.like(await ann.hearsFile(/twice/), { text: 'twice.txt (10 B)', content: Buffer.from('HELLOHELLO') })
  t.deepEqual(paths, Array(2).fill(join(folder, 'inbox', `${file.id}-a.txt`)))
  t.is(await readFile(paths[0] ?? '', 'utf8'), 'hello')
  t.deepEqual(await readdir(join(folder, 'inbox')), [`${file.id}-a.txt`])
  await ann.says('files', 'again')
  t.like(await ann.hearsFile('answer.txt', { from: 'files' }), { content: Buffer.from('from a path') })
})

test('a handler that runs again after a crash sends its file once, although its content differs', async (t) => {
  const server = await startLocalServer(t)
  const gate = new Gate()
  let runs = 0
  const bot = createBot({ name: 'again' }).message(async (ctx) => {
    runs++
    await ctx.replyFile(Buffer.from(`run ${runs}`.repeat(runs)), { name: 'run.txt' })
    await gate.pass()
    await ctx.reply('done')
  })
  const first = await startBot(t, server, bot)
  const ann = await enter(t, server, 'ann')
  await ann.says('again', 'go')
  await gate.reached(1)
  await first.stop({ grace: 0 })
  gate.open()
  await startBot(t, server, bot)
  t.deepEqual(await nextTexts(ann, 2), ['run.txt (5 B)', 'done'])
  t.is(runs, 2)
})

test('an unfinished upload of an earlier run with other content does not stop a handler', async (t) => {
  const bot = createBot({ name: 'other' }).message(async (ctx) => {
    const earlier = { name: 'x.txt', size: 99, clientId: 'file of mine' }
    await ctx.client.request(BeginUpload, earlier)
    await ctx.replyFile(Buffer.from('now'), { name: 'x.txt', key: 'mine' })
  })
  await using server = await testServer()
  await server.bot(bot, 'other')
  const ann = await server.user('ann')
  await ann.says('other', 'go')
  t.is((await ann.hearsFile('x.txt')).content.toString(), 'now')
})

test('bytes without a name are refused in the handler', async (t) => {
  const bot = createBot({ name: 'nameless' }).message(async (ctx) => {
    await ctx.replyFile(Buffer.from('x')).catch((error: Error) => ctx.reply(`${error.name}: ${error.message}`))
  })
  await using server = await testServer()
  await server.bot(bot, 'nameless')
  const ann = await server.user('ann')
  t.is(await ann.asks('nameless', 'go'), 'TypeError: a file that is no path needs a name: { name }')
})

test('the test kit sends a file from a path, and says which file did not come', async (t) => {
  const folder = await tempFolder(t)
  await mkdir(join(folder, 'sub'))
  const path = join(folder, 'sub', 'x.txt')
  await writeFile(path, 'content')
  await using server = await testServer()
  const [ann, ben] = [await server.user('ann'), await server.user('ben')]
  await ann.befriends(ben)
  await ann.sendsFile('ben', path)
  await t.throwsAsync(ben.hearsFile('y.txt', { within: 1 }), { message: /did not hear a file "y.txt" within 1 ms/ })
  t.like(await ben.hearsFile('x.txt', { from: 'ann' }), { text: 'x.txt (7 B)', content: Buffer.from('content') })
})
