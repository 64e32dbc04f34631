import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { z } from 'zod'
import type { Client } from '../client/index.ts'
import {
  type AnyPlugin,
  clientMessage,
  defineEvent,
  definePlugin,
  line,
  loadPlugin,
  Refused,
  serverMessage,
  uint32,
} from '../core/index.ts'
import { SendMessage } from '../plugins/index.ts'
import { openStage, type Stage, tempFolder } from './support/room.ts'

const Echoed = serverMessage({ type: 1001, name: 'echoed', about: '', fields: { text: line('') } })
const Echo = clientMessage({
  type: 1000,
  name: 'echo',
  about: '',
  allow: 'user',
  fields: { text: line('') },
  reply: Echoed,
})

/** The smallest plugin that answers, with something more if asked. */
const echo = (more: Partial<AnyPlugin> & { setup?: AnyPlugin['setup'] } = {}) =>
  definePlugin({
    name: 'echo',
    messages: { Echo, Echoed },
    ...more,
    async setup(app, context) {
      app.handle(Echo, (_session, { text }) => ({ text }))
      return more.setup?.(app, context as never)
    },
  })

async function withEcho(
  t: ExecutionContext,
  setup: AnyPlugin['setup'],
  more: Partial<AnyPlugin> = {},
): Promise<[Stage, Client]> {
  const stage = await openStage(t, { plugins: [echo({ ...more, setup })] })
  return [stage, await stage.user('alice', { messages: [Echo, Echoed] })]
}

const failure = async (t: ExecutionContext, request: Promise<unknown>) =>
  ((await t.throwsAsync(request, { name: 'RefusedByServer' })) as unknown as { failure: string }).failure

test('a plugin adds a message type: typed, checked, answered', async (t) => {
  const [, alice] = await withEcho(t, () => {})
  t.deepEqual(await alice.request(Echo, { text: 'hello' }), { text: 'hello' })
})

test('a client that was not built with the type learns it from the server', async (t) => {
  const stage = await openStage(t, { plugins: [echo()] })
  const alice = await stage.user('alice')
  const learned = (await alice.learn()).byName('echo')
  if (learned?.from !== 'client') return t.fail('not learned')
  t.deepEqual(await alice.request(learned, { text: 'hello' } as never), { text: 'hello' } as never)
})

test('before: in order, may amend, may refuse with a name of its own', async (t) => {
  const seen: string[] = []
  const [, alice] = await withEcho(t, (app) => {
    app.before(Echo, (session, { text }) => {
      seen.push(`first ${session.user.name} ${text}`)
      return { text: `${text}!` }
    })
    app.before(Echo, async (_session, { text }) => {
      seen.push(`second ${text}`)
      if (text === 'bad!') throw new Refused('echo.bad_word', 'not that word', { retryAfter: 5000 })
    })
  })
  t.deepEqual(await alice.request(Echo, { text: 'hi' }), { text: 'hi!' })
  const error = await t.throwsAsync(alice.request(Echo, { text: 'bad' }), { name: 'RefusedByServer' })
  t.like(error, { failure: 'echo.bad_word', message: 'not that word', retryAfter: 5000 })
  t.deepEqual(seen, ['first alice hi', 'second hi!', 'first alice bad', 'second bad!'])
})

test('a slow before does not let a later message overtake', async (t) => {
  const order: string[] = []
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const [, alice] = await withEcho(t, (app) => {
    app.before(Echo, (_session, { text }) => (text === 'slow' ? gate : undefined))
    app.on(Echo, (_session, { text }) => order.push(text))
  })
  const both = [alice.request(Echo, { text: 'slow' }), alice.request(Echo, { text: 'quick' })]
  release()
  await Promise.all(both)
  t.deepEqual(order, ['slow', 'quick'])
})

test('a before that throws refuses; the handler never runs', async (t) => {
  const handled: string[] = []
  const guarded = definePlugin({
    name: 'guarded',
    messages: { Echo, Echoed },
    setup(app) {
      app.handle(Echo, (_session, { text }) => {
        handled.push(text)
        return { text }
      })
      app.before(Echo, (_session, { text }) => {
        if (text === 'bad') throw new TypeError('a bug')
      })
    },
  })
  const stage = await openStage(t, { plugins: [guarded] })
  const alice = await stage.user('alice', { messages: [Echo, Echoed] })
  t.is(await failure(t, alice.request(Echo, { text: 'bad' })), 'internal')
  await alice.request(Echo, { text: 'good' })
  t.deepEqual(handled, ['good'])
})

test('listeners that throw or reject harm nobody, and mark the plugin degraded', async (t) => {
  const told: string[] = []
  const [stage, alice] = await withEcho(t, (app) => {
    app.on(Echo, () => {
      throw new Error('thrown in a listener')
    })
    app.on(Echo, async () => {
      throw new Error('rejected in a listener')
    })
    app.on(Echo, (session, { text }, reply) => told.push(`${session.user.name} ${text} ${reply.text}`))
  })
  for (let n = 0; n < 3; n++) t.deepEqual(await alice.request(Echo, { text: 'hi' }), { text: 'hi' })
  t.deepEqual(told, ['alice hi hi', 'alice hi hi', 'alice hi hi'])
  const state = stage.room.server.status().plugins.find(({ name }) => name === 'echo')
  t.like(state, { state: 'degraded', reason: 'echo: rejected in a listener' })
  t.deepEqual(
    stage.room.server
      .status()
      .plugins.filter(({ state }) => state !== 'ok')
      .map(({ name }) => name),
    ['echo'],
  )
})

test('a handler that throws, rejects or returns nonsense answers internal, and the next request works', async (t) => {
  const Try = clientMessage({
    type: 1002,
    name: 'try',
    about: '',
    allow: 'user',
    fields: { how: line('') },
    reply: Echoed,
  })
  const [, alice] = await withEcho(
    t,
    (app) => {
      app.handle(Try, (_session, { how }) => {
        if (how === 'throw') throw new Error('thrown')
        if (how === 'reject') return Promise.reject(new Error('rejected'))
        if (how === 'nothing') return undefined as never
        return { text: how === 'wrong' ? (5 as never) : 'fine' }
      })
    },
    { messages: { Echo, Echoed, Try } },
  )
  for (const how of ['throw', 'reject', 'nothing', 'wrong'])
    t.is(await failure(t, alice.request(Try, { how })), 'internal', how)
  t.deepEqual(await alice.request(Try, { how: 'well' }), { text: 'fine' })
})

test('a before of another plugin guards a built-in message', async (t) => {
  const guard = definePlugin({
    name: 'guard',
    messages: {},
    setup(app) {
      app.before(SendMessage, (_session, { text }) => {
        if (/spam/.test(text)) throw new Refused('guard.spam', 'no advertisements')
      })
    },
  })
  const stage = await openStage(t, { plugins: [guard] })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  t.is(await failure(t, alice.send('bob', 'buy spam')), 'guard.spam')
  await alice.send('bob', 'hello')
  t.deepEqual(
    (await bob.inbox()).messages.map(({ text }) => text),
    ['hello'],
  )
})

test('events of a plugin’s own, timers and stop tasks end with it, in reverse order', async (t) => {
  const Happened = defineEvent<{ what: string }>('echo.happened')
  const log: string[] = []
  const source = definePlugin({
    name: 'source',
    setup(app) {
      app.onStop(() => log.push('source stops'))
      return { tell: (what: string) => app.emit(Happened, { what }) }
    },
  })
  const sink = definePlugin({
    name: 'sink',
    needs: { source },
    setup(app, { needs }) {
      app.on(Happened, ({ what }) => log.push(what))
      app.every(1, () => {
        throw new Error('in a timer')
      })
      app.signal.addEventListener('abort', () => log.push('sink is aborted'))
      app.onStop(() => log.push('sink stops second'))
      app.onStop(() => log.push('sink stops first'))
      needs.source.tell('hello')
    },
  })
  // Given in the wrong order: the host sorts by needs.
  const stage = await openStage(t, { plugins: [sink, source] })
  await stage.room.close()
  t.deepEqual(log, ['hello', 'sink is aborted', 'sink stops first', 'sink stops second', 'source stops'])
})

const WRONG_SETUPS: readonly (readonly [string, () => AnyPlugin[], RegExp])[] = [
  [
    'a need that is not loaded',
    () => [definePlugin({ name: 'a', needs: { echo: echo() }, setup() {} })],
    /a needs echo, which is not loaded/,
  ],
  [
    'plugins that need each other',
    () => {
      const a: AnyPlugin = {
        name: 'a',
        needs: {
          get b(): AnyPlugin {
            return b
          },
        },
        setup() {},
      }
      const b: AnyPlugin = { name: 'b', needs: { a }, setup() {} }
      return [a, b]
    },
    /a needs b needs a/,
  ],
  ['two plugins of one name', () => [echo(), echo()], /two plugins are named "echo"/],
  [
    'a message number that is taken',
    () => [definePlugin({ name: 'thief', messages: { Theft: { ...Echo, type: 11 } }, setup() {} })],
    /message echo has type 11; yours begin at 1000/,
  ],
  [
    'a second handler',
    () => [
      definePlugin({
        name: 'thief',
        setup: (app) => app.handle(SendMessage, () => ({ id: 1, sentAt: 1, repeat: false })),
      }),
    ],
    /send_message has a handler already/,
  ],
  [
    'a message that no plugin lists',
    () => [definePlugin({ name: 'sloppy', setup: (app) => app.handle(Echo, () => ({ text: '' })) })],
    /uses message echo, which no loaded plugin lists/,
  ],
  [
    'a setup that throws',
    () => [
      definePlugin({
        name: 'broken',
        setup() {
          throw new Error('no such file')
        },
      }),
    ],
    /plugin broken failed to start: no such file/,
  ],
]

for (const [what, plugins, message] of WRONG_SETUPS) {
  test(`a server does not start with ${what}`, async (t) => {
    await t.throwsAsync(openStage(t, { plugins: plugins() }), { name: 'SetupError', message })
  })
}

test('options are checked by the plugin’s own schema, and named in the error', async (t) => {
  const limited = definePlugin({
    name: 'limited',
    options: z.strictObject({ max: z.number().int().default(3) }),
    setup: (_app, { options }) => options.max,
  })
  const start = (pluginOptions: Record<string, unknown>) => openStage(t, { plugins: [limited], pluginOptions })
  await start({ limited: { max: 5 } })
  await t.throwsAsync(start({ limited: { max: 'many' } }), { message: /limited\.max: .*number/ })
  await t.throwsAsync(start({ limited: { maximum: 5 } }), { message: /limited: .*maximum/ })
  await t.throwsAsync(start({ limitd: {} }), { message: /options for plugin "limitd", which is not loaded/ })
})

test('a built-in feature can be left out', async (t) => {
  const stage = await openStage(t, { without: ['messages', 'friends', 'groups', 'contacts', 'system', 'schedule'] })
  const alice = await stage.user('alice')
  t.is(await failure(t, alice.send('alice', 'hi')), 'unknown_type')
  await t.throwsAsync(openStage(t, { without: ['mesages'] }), { message: /no built-in plugin is named "mesages"/ })
  await t.throwsAsync(openStage(t, { without: ['messages'] }), {
    message: /(friends|groups|contacts|system|schedule) needs messages, which is not loaded/,
  })
  await t.throwsAsync(openStage(t, { without: ['accounts'] }), { message: /needs accounts, which is not loaded/ })
})

const SOURCE = `
import { clientMessage, definePlugin, line, Refused } from 'chatctl'
const Ask = clientMessage({ type: 1500, name: 'ask', about: '', allow: 'user', fields: { what: line('') } })
export default definePlugin({
  name: 'loaded',
  messages: { Ask },
  setup(app) { app.handle(Ask, (session, { what }) => { if (what === 'no') throw new Refused('loaded.no', 'no') }) },
})`

for (const extension of ['ts', 'js', 'mjs']) {
  test(`a plugin is loaded from a .${extension} file anywhere, and is one with this server`, async (t) => {
    const folder = await tempFolder(t)
    const isTypeScript = extension === 'ts'
    const source = isTypeScript
      ? SOURCE.replace('(session, { what })', '(session, { what }: { what: string })')
      : SOURCE
    if (extension === 'mjs') {
      // Plain JavaScript finds `chatctl` as Node does: installed beside it.
      await mkdir(join(folder, 'node_modules', 'chatctl'), { recursive: true })
      const door = new URL('../core/index.js', import.meta.url).href
      await writeFile(join(folder, 'node_modules/chatctl/package.json'), '{"type":"module","exports":"./index.js"}')
      await writeFile(join(folder, 'node_modules/chatctl/index.js'), `export * from '${door}'`)
      await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    }
    await writeFile(join(folder, `asker.${extension}`), source)
    const plugin = await loadPlugin(`./asker.${extension}`, folder)
    const stage = await openStage(t, { plugins: [plugin] })
    const alice = await stage.user('alice')
    const ask = (await alice.learn()).byName('ask')
    if (ask?.from !== 'client') return t.fail('not learned')
    t.deepEqual(await alice.request(ask, { what: 'yes' } as never), {} as never)
    t.is(await failure(t, alice.request(ask, { what: 'no' } as never)), 'loaded.no')
  })
}

test('a plugin that cannot be loaded says which file and what was found', async (t) => {
  const folder = await tempFolder(t)
  await writeFile(join(folder, 'nothing.ts'), 'export const answer = 42')
  await writeFile(join(folder, 'broken.ts'), 'export default (')
  await t.throwsAsync(loadPlugin('./nothing.ts', folder), {
    message: /nothing\.ts exports no plugin \(found: answer\)/,
  })
  await t.throwsAsync(loadPlugin('./broken.ts', folder), { message: /cannot load plugin \.\/broken\.ts/ })
  await t.throwsAsync(loadPlugin('./missing.ts', folder), { message: /cannot load plugin \.\/missing\.ts/ })
  await t.throwsAsync(loadPlugin('no-such-package', folder), { message: /cannot find plugin "no-such-package"/ })
})

test('a plugin’s migration runs under its name, and only with the plugin', async (t) => {
  const tables = definePlugin({
    name: 'tables',
    messages: { Echo, Echoed },
    migrations: {
      '0001_init': {
        up: (db) => db.schema.createTable('notes', (table) => table.increments('id')),
        down: (db) => db.schema.dropTable('notes'),
      },
    },
    setup(app, { db }) {
      app.handle(Echo, async () => ({ text: String((await db('notes').insert({}))[0]) }))
    },
  })
  const data = await tempFolder(t)
  const first = await openStage(t, { data, plugins: [tables] })
  const alice = await first.user('alice', { messages: [Echo, Echoed] })
  t.deepEqual(await alice.request(Echo, { text: '' }), { text: '1' })
  await first.room.close()
  const without = await openStage(t, { data })
  await without.room.close()
  const again = await openStage(t, { data, plugins: [tables] })
  await again.room.close()
  const late: AnyPlugin = {
    name: 'late',
    setup() {},
    migrations: { '0001_more': { up: async () => {}, down: async () => {} } },
  }
  await t.throwsAsync(openStage(t, { data, plugins: [late] }), { name: 'SetupError', message: /late\/0001_more/ })
  await openStage(t, { data, plugins: [late], migrate: true })
})

test('numbers travel from the wire to the handler as the definition says', async (t) => {
  const Add = clientMessage({
    type: 1600,
    name: 'add',
    about: '',
    allow: 'user',
    fields: { a: uint32(''), b: uint32('') },
    reply: Echoed,
  })
  const [, alice] = await withEcho(t, (app) => app.handle(Add, (_session, { a, b }) => ({ text: String(a + b) })), {
    messages: { Echo, Echoed, Add },
  })
  t.deepEqual(await alice.request(Add, { a: 2, b: 3 }), { text: '5' })
})

test('a refusal that quotes what no line can hold is told all the same, and nothing breaks', async (t) => {
  const [, alice] = await withEcho(t, (app) => {
    app.before(Echo, async (_session, { text }) => {
      throw new Refused(`echo.${'ü'.repeat(60)}`, `not "\u202e${text}\u200e\n\u001b[31m" ${'x'.repeat(2000)}`)
    })
  })
  const error = await t.throwsAsync(alice.request(Echo, { text: 'hi' }), { name: 'RefusedByServer' })
  t.regex(error?.message ?? '', /^not " hi {2,}\[31m" x+$/)
  t.true(Buffer.byteLength(error?.message ?? '') <= 512)
  t.regex((error as unknown as { failure: string }).failure, /^echo\.ü+$/)
})
