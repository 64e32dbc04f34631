import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { z } from 'zod'
import {
  type AnyPlugin,
  API_VERSION,
  type ClientMessage,
  clientMessage,
  defineEvent,
  definePlugin,
  limit,
  line,
  loadPlugin,
  type PluginFacts,
  pluginFailures,
  pluginLimits,
  QueryPlugins,
  Refused,
  SessionStarted,
  serverMessage,
  uint32,
} from '../../core/index.ts'
import { SendMessage } from '../../plugins/index.ts'
import { type TestServer, type TestUser, testServer } from '../../testing/index.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const Echoed = serverMessage({ type: 1001, name: 'echoed', about: '', fields: { text: line('') } })
const Echo = clientMessage({
  type: 1000,
  name: 'echo',
  about: '',
  allow: 'user',
  fields: { text: line('') },
  reply: Echoed,
})

/** A minimal plugin that answers one request; `more` extends it. */
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
): Promise<[TestUser, TestServer]> {
  const server = await testServer({ plugins: [echo({ ...more, setup })] })
  t.teardown(() => server.dispose())
  return [await server.user('alice'), server]
}

test('a plugin adds a message type that is typed, validated and answered', async (t) => {
  const [alice] = await withEcho(t, () => {})
  t.deepEqual(await alice.request(Echo, { text: 'hello' }), { text: 'hello' })
})

test('a client that was not built with the type learns it from the server', async (t) => {
  await using server = await testServer({ plugins: [echo()] })
  const alice = await server.user('alice', { messages: [] })
  const learned = (await alice.client.learn()).byName('echo')
  if (learned?.from !== 'client') return t.fail('not learned')
  t.deepEqual(await alice.request(learned, { text: 'hello' } as never), { text: 'hello' } as never)
})

test('before hooks run in order, amend messages, and refuse with their own failure', async (t) => {
  const seen: string[] = []
  const [alice] = await withEcho(t, (app) => {
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

test('a slow before hook keeps messages in order', async (t) => {
  const order: string[] = []
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const [alice] = await withEcho(t, (app) => {
    app.before(Echo, (_session, { text }) => (text === 'slow' ? gate : undefined))
    app.on(Echo, (_session, { text }) => order.push(text))
  })
  const both = [alice.request(Echo, { text: 'slow' }), alice.request(Echo, { text: 'quick' })]
  release()
  await Promise.all(both)
  t.deepEqual(order, ['slow', 'quick'])
})

test('a before hook that throws refuses the message, and the handler does not run', async (t) => {
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
  await using server = await testServer({ plugins: [guarded] })
  const alice = await server.user('alice')
  t.is(await alice.refused(alice.request(Echo, { text: 'bad' })), 'internal')
  await alice.request(Echo, { text: 'good' })
  t.deepEqual(handled, ['good'])
  t.like(server.failures(), [{ plugin: 'guarded', event: 'before echo failed', error: { message: 'a bug' } }])
})

test('a listener that throws or rejects affects no request, and marks the plugin degraded', async (t) => {
  const told: string[] = []
  const [alice, server] = await withEcho(t, (app) => {
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
  const failing = () => server.status().plugins.filter(({ state }) => state !== 'ok')
  t.like(failing(), [{ name: 'echo', state: 'degraded', reason: 'echo: rejected in a listener' }])
  t.is(failing().length, 1)
  t.is(server.failures().length, 6)
  await server.clock.advance(60_001)
  t.deepEqual(failing(), [], 'a minute later the failures have expired')
})

test('a handler that throws, rejects or returns an invalid reply answers internal, and the next request succeeds', async (t) => {
  const Try = clientMessage({
    type: 1002,
    name: 'try',
    about: '',
    allow: 'user',
    fields: { how: line('') },
    reply: Echoed,
  })
  const [alice, server] = await withEcho(
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
    t.is(await alice.refused(alice.request(Try, { how })), 'internal', how)
  t.deepEqual(await alice.request(Try, { how: 'well' }), { text: 'fine' })
  t.is(server.failures().length, 4)
})

test('a before hook of a plugin guards a built-in message', async (t) => {
  const guard = definePlugin({
    name: 'guard',
    messages: {},
    setup(app) {
      app.before(SendMessage, (_session, { text }) => {
        if (/spam/.test(text)) throw new Refused('guard.spam', 'no advertisements')
      })
    },
  })
  await using server = await testServer({ plugins: [guard] })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.is(await alice.refused(alice.says('bob', 'buy spam')), 'guard.spam')
  await alice.says('bob', 'hello')
  await bob.hears('hello')
  await bob.hearsNothing()
})

test('events, timers and stop tasks of a plugin end with it, in reverse order', async (t) => {
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
      app.every(1000, () => {
        throw new Error('in a timer')
      })
      app.signal.addEventListener('abort', () => log.push('sink is aborted'))
      app.onStop(() => log.push('sink stops second'))
      app.onStop(() => log.push('sink stops first'))
      needs.source.tell('hello')
    },
  })
  // In the wrong order: the host sorts by dependencies.
  const server = await testServer({ plugins: [sink, source] })
  await server.clock.advance(1000)
  t.like(server.failures(), [{ plugin: 'sink', event: 'timer', error: { message: 'in a timer' } }])
  await server.dispose()
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
  test(`a server refuses to start with ${what}`, async (t) => {
    await t.throwsAsync(testServer({ plugins: plugins() }), { name: 'SetupError', message })
  })
}

test('options are validated by the plugin’s schema, and the error names them', async (t) => {
  const limited = definePlugin({
    name: 'limited',
    options: z.strictObject({ max: z.number().int().default(3) }),
    setup: (_app, { options }) => options.max,
  })
  const start = (pluginOptions: Record<string, object>) => testServer({ plugins: [limited], pluginOptions })
  await (await start({ limited: { max: 5 } })).dispose()
  await t.throwsAsync(start({ limited: { max: 'many' } }), {
    message: 'options.limited.max: expected number, got string',
  })
  await t.throwsAsync(start({ limited: { maximum: 5 } }), { message: /^options\.limited: .*maximum/ })
  await t.throwsAsync(start({ limitd: {} }), { message: 'options.limitd: no plugin of that name is loaded' })
  await t.throwsAsync(start({ contacts: {} }), { message: 'options.contacts: this plugin takes no options' })
})

test('the error lists all invalid options with their source', async (t) => {
  const limited = definePlugin({
    name: 'limited',
    options: z.strictObject({ max: z.number(), words: z.array(z.string()) }),
    setup() {},
  })
  const pluginOptions = { limited: { max: 'many', words: ['a', 5] }, limitd: {} }
  await t.throwsAsync(
    startLocalServer(t, { plugins: [limited], pluginOptions, optionsFrom: './chatctl.config.json' }),
    {
      name: 'SetupError',
      message:
        'options.limitd: no plugin of that name is loaded; options.limited.max: expected number, got string; ' +
        'options.limited.words.1: expected string, got number (from ./chatctl.config.json)',
    },
  )
})

test('a plugin declares a range of plugin API versions, and other servers refuse it', async (t) => {
  for (const api of ['^1.0', '>=1 <3', '1.x', API_VERSION]) await startLocalServer(t, { plugins: [echo({ api })] })
  const refused: readonly (readonly [string, string])[] = [
    ['^2.0', `plugin echo is written for plugin API ^2.0; this server has ${API_VERSION}`],
    ['^1.7', `plugin echo is written for plugin API ^1.7; this server has ${API_VERSION}`],
    ['newest', 'plugin echo: api is a range of versions such as "^1.0", not "newest"'],
    [1 as never, 'plugin echo: api is a range of versions such as "^1.0", not 1'],
  ]
  for (const [api, message] of refused)
    await t.throwsAsync(startLocalServer(t, { plugins: [echo({ api })] }), { name: 'SetupError', message })
})

test('status values of plugins are prefixed with their names, so that none hides another', async (t) => {
  const reporter = (name: string, users: number) =>
    definePlugin({ name, setup: (app) => app.status(() => ({ users, seen: 1 })) })
  const broken = definePlugin({
    name: 'broken',
    setup: (app) =>
      app.status(() => {
        throw new Error('no figures')
      }),
  })
  const server = await startLocalServer(t, { plugins: [reporter('one', 10), broken, reporter('two', 20)] })
  const status = server.server.status()
  t.like(status, { users: 0, 'one.users': 10, 'one.seen': 1, 'two.users': 20, 'two.seen': 1 })
  for (let n = 0; n < 4; n++) server.server.status()
  t.like(
    server.server.status().plugins.find(({ name }) => name === 'broken'),
    { state: 'degraded', reason: 'status: no figures' },
  )
})

test('an admin can list each plugin’s messages, handlers, hooks and listeners', async (t) => {
  const talkative = echo({
    version: '0.3.0',
    api: '^1.0',
    failures: pluginFailures('echo', { loud: 'not so loud' }),
    limits: pluginLimits('echo', { times: limit(3, 'count', 'echoes of one text') }),
    options: z.strictObject({ max: z.number().int().default(3) }),
    migrations: { '0001_init': { up: async () => {}, down: async () => {} } },
    setup(app) {
      const refusal = { code: 'echo.unsure', text: 'cannot be checked now' } as const
      app.before(SendMessage, () => {}, { order: 5, timeout: 300, failure: 'open', refusal })
      app.before(Echo, () => {})
      app.on(SessionStarted, () => {})
      app.every(60_000, () => {})
    },
  })
  const odd = definePlugin({
    name: 'odd',
    options: { safeParse: (data: unknown) => ({ success: true, data }) } as never,
    setup() {},
  })
  const server = await startLocalServer(t, { plugins: [talkative, odd] })
  const operator = await server.operator()
  const facts: PluginFacts[] = JSON.parse((await operator.request(QueryPlugins, {})).json)
  const of = (name: string) => facts.find((entry) => entry.name === name)
  t.deepEqual(of('echo'), {
    name: 'echo',
    version: '0.3.0',
    api: '^1.0',
    builtIn: false,
    state: 'ok',
    reason: '',
    needs: [],
    messages: ['echo', 'echoed'],
    failures: ['echo.loud'],
    limits: [{ name: 'echo.times', value: 3, unit: 'count', about: 'echoes of one text', isLiftable: false }],
    handles: ['echo'],
    before: [
      { message: 'send_message', order: 5, timeout: 300, failure: 'open', refusal: 'echo.unsure' },
      { message: 'echo', order: 0, timeout: 5000, failure: 'closed' },
    ],
    listens: ['core.session_started'],
    options: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { max: { default: 3, type: 'integer', minimum: -(2 ** 53 - 1), maximum: 2 ** 53 - 1 } },
      additionalProperties: false,
    },
    migrations: ['0001_init'],
    routes: [],
    timers: [60_000],
  })
  t.like(of('odd'), { api: 'any', options: {} })
  t.like(of('friends'), { builtIn: true, api: 'any', state: 'ok' })
  t.like(of('control'), { builtIn: true, handles: ['ping', 'query_protocol', 'query_status', 'query_plugins'] })
  t.true(of('friends')?.before.some(({ message }) => message === 'send_message'))
})

test('a built-in feature can be left out', async (t) => {
  await using server = await testServer({
    without: [
      'messages',
      'friends',
      'groups',
      'contacts',
      'consumers',
      'system',
      'schedule',
      'hooks',
      'typing',
      'streams',
      'mcp',
      'incoming',
      'profiles',
      'edits',
      'reactions',
      'files',
      'api',
    ],
  })
  const alice = await server.user('alice')
  t.is(await alice.refused(alice.says('alice', 'hi')), 'unknown_type')
  await t.throwsAsync(testServer({ without: ['mesages'] }), { message: /no built-in plugin is named "mesages"/ })
  await t.throwsAsync(testServer({ without: ['messages'] }), {
    message: /[a-z]+ needs messages, which is not loaded/,
  })
  await t.throwsAsync(testServer({ without: ['accounts'] }), { message: /needs accounts, which is not loaded/ })
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
  test(`a plugin loads from a .${extension} file anywhere and shares the server’s modules`, async (t) => {
    const folder = await tempFolder(t)
    const isTypeScript = extension === 'ts'
    const source = isTypeScript
      ? SOURCE.replace('(session, { what })', '(session, { what }: { what: string })')
      : SOURCE
    if (extension === 'mjs') {
      // Plain JavaScript resolves `chatctl` as Node does, from an installed package.
      await mkdir(join(folder, 'node_modules', 'chatctl'), { recursive: true })
      const door = new URL('../../core/index.js', import.meta.url).href
      await writeFile(join(folder, 'node_modules/chatctl/package.json'), '{"type":"module","exports":"./index.js"}')
      await writeFile(join(folder, 'node_modules/chatctl/index.js'), `export * from '${door}'`)
      await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    }
    await writeFile(join(folder, `asker.${extension}`), source)
    const plugin = await loadPlugin(`./asker.${extension}`, folder)
    await using server = await testServer({ plugins: [plugin] })
    const alice = await server.user('alice')
    const { Ask } = plugin.messages as { Ask: ClientMessage }
    t.deepEqual(await alice.request(Ask, { what: 'yes' } as never), {} as never)
    t.is(await alice.refused(alice.request(Ask, { what: 'no' } as never)), 'loaded.no')
  })
}

/** A package as npm installs it. */
async function install(folder: string, name: string, manifest: object, files: Readonly<Record<string, string>>) {
  const at = join(folder, 'node_modules', name)
  await mkdir(at, { recursive: true })
  await writeFile(join(at, 'package.json'), JSON.stringify({ name, type: 'module', ...manifest }))
  for (const [file, source] of Object.entries(files)) await writeFile(join(at, file), source)
}

const EXPORTS: readonly (readonly [string, object])[] = [
  ['for import only', { '.': { import: './plugin.js' } }],
  ['with types first', { '.': { types: './plugin.d.ts', default: './plugin.js' } }],
  ['another one for require', { '.': { require: './other.cjs', import: './plugin.js' } }],
]

for (const [what, exports] of EXPORTS) {
  test(`a plugin package resolves from the folder of the configuration: exports ${what}`, async (t) => {
    const folder = await tempFolder(t)
    await install(folder, '@team/asker', { exports }, { 'plugin.js': SOURCE, 'other.cjs': 'module.exports = {}' })
    const below = join(folder, 'etc', 'chat')
    await mkdir(below, { recursive: true })
    t.is((await loadPlugin('@team/asker', below)).name, 'loaded')
    await t.throwsAsync(loadPlugin('@team/asker', '/'), { message: /cannot find plugin "@team\/asker" from \// })
  })
}

test('a plugin with another copy of chatctl installed gets the running one', async (t) => {
  const folder = await tempFolder(t)
  const copy = `
    export class Refused extends Error {}
    export const [definePlugin, clientMessage, line] = Array(3).fill((value) => value)`
  await install(folder, 'chatctl', { exports: './index.js' }, { 'index.js': copy })
  await install(folder, 'asker', { exports: './plugin.js' }, { 'plugin.js': SOURCE })
  const server = await startLocalServer(t, { plugins: [await loadPlugin('asker', folder)] })
  const alice = await server.user('alice')
  const ask = (await alice.learn()).byName('ask')
  if (ask?.from !== 'client') return t.fail('not learned')
  t.is(await refusal(t, alice.request(ask, { what: 'no' } as never)), 'loaded.no')
})

test('the error for a plugin that cannot be loaded names the file and its content', async (t) => {
  const folder = await tempFolder(t)
  await writeFile(join(folder, 'nothing.ts'), 'export const answer = 42')
  await writeFile(join(folder, 'broken.ts'), 'export default (')
  await t.throwsAsync(loadPlugin('./nothing.ts', folder), {
    message: /nothing\.ts exports no plugin \(found: answer\)/,
  })
  await t.throwsAsync(loadPlugin('./broken.ts', folder), { message: /cannot load plugin \.\/broken\.ts/ })
  await t.throwsAsync(loadPlugin('./missing.ts', folder), { message: /there is no file .*missing\.ts/ })
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
  const first = await startLocalServer(t, { data, plugins: [tables] })
  const alice = await first.user('alice', { messages: [Echo, Echoed] })
  t.deepEqual(await alice.request(Echo, { text: '' }), { text: '1' })
  await first.close()
  const without = await startLocalServer(t, { data })
  await without.close()
  const again = await startLocalServer(t, { data, plugins: [tables] })
  await again.close()
  const late: AnyPlugin = {
    name: 'late',
    setup() {},
    migrations: { '0001_more': { up: async () => {}, down: async () => {} } },
  }
  await t.throwsAsync(startLocalServer(t, { data, plugins: [late] }), {
    name: 'SetupError',
    message: /late\/0001_more/,
  })
  await startLocalServer(t, { data, plugins: [late], migrate: true })
})

test('numbers reach the handler in the type of their definition', async (t) => {
  const Add = clientMessage({
    type: 1600,
    name: 'add',
    about: '',
    allow: 'user',
    fields: { a: uint32(''), b: uint32('') },
    reply: Echoed,
  })
  const [alice] = await withEcho(t, (app) => app.handle(Add, (_session, { a, b }) => ({ text: String(a + b) })), {
    messages: { Echo, Echoed, Add },
  })
  t.deepEqual(await alice.request(Add, { a: 2, b: 3 }), { text: '5' })
})

test('control characters in the text of a refusal are replaced, and the text is truncated', async (t) => {
  const [alice] = await withEcho(t, (app) => {
    app.before(Echo, async (_session, { text }) => {
      throw new Refused(`echo.${'ü'.repeat(60)}`, `not "\u202e${text}\u200e\n\u001b[31m" ${'x'.repeat(2000)}`)
    })
  })
  const error = await t.throwsAsync(alice.request(Echo, { text: 'hi' }), { name: 'RefusedByServer' })
  t.regex(error?.message ?? '', /^not " hi {2,}\[31m" x+$/)
  t.true(Buffer.byteLength(error?.message ?? '') <= 512)
  t.regex((error as unknown as { failure: string }).failure, /^echo\.ü+$/)
})

test('any number of pieces of work may listen to the signal of a plugin', async (t) => {
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  let aborted = 0
  const busy = definePlugin({
    name: 'busy',
    setup(app) {
      for (let work = 0; work < 50; work++) app.signal.addEventListener('abort', () => aborted++)
    },
  })
  {
    await using server = await testServer({ plugins: [busy] })
    await server.user('alice')
  }
  t.is(aborted, 50)
  t.deepEqual(
    warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'),
    [],
  )
})
