import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { BUILT_IN_MESSAGES, type Client } from '../../client/index.ts'
import {
  type AnyPlugin,
  type App,
  type BeforeOptions,
  type ClientMessage,
  CONTROL_MESSAGES,
  clientMessage,
  definePlugin,
  type HookContext,
  line,
  type Message,
  optional,
  Ping,
  Refused,
  ROLES,
  serverMessage,
  uint32,
  type ValuesOf,
} from '../../core/index.ts'
import { openInMemory } from '../../db/index.ts'
import { BUILT_IN } from '../../plugins/index.ts'
import { emptyDatabase } from '../../testing/fixtures.ts'
import type { TestServer } from '../../testing/index.ts'
import { startOn } from '../../testing/start.ts'
import { sampleValues } from '../support/wire/samples.ts'

/** The length of no other timer of the server. */
const HOOK_MS = 4321

type Values = Record<string, unknown>

/** Logs a session in by role, without account and password. */
const Enter = clientMessage({
  type: 1900,
  name: 'enter',
  about: '',
  allow: 'any',
  fields: { role: line('') },
})

let lastUser = 1_000_000

const doorman = definePlugin({
  name: 'doorman',
  messages: { Enter },
  setup(app) {
    app.handle(Enter, (session, { role }) => {
      const id = ++lastUser
      const name = `${role}${id}`
      session.login({ id, name, nickname: name, role: ROLES.find((known) => known === role) ?? 'user' })
    })
  },
})

/** A client that is allowed to send the message. */
async function callerFor({ allow }: ClientMessage, server: TestServer): Promise<Client> {
  const client = await (allow === 'operator' ? server.operator() : server.connect({ reconnect: false }))
  if (allow === 'user' || allow === 'admin') await client.request(Enter, { role: allow })
  return client
}

/** `ok`, or the name of the failure. */
const outcomeOf = (request: Promise<unknown>): Promise<string> =>
  request.then(
    () => 'ok',
    (error: { failure?: string; message: string }) => error.failure ?? error.message,
  )

const degraded = (server: TestServer) =>
  server
    .status()
    .plugins.filter(({ state }) => state !== 'ok')
    .map(({ name }) => name)

const isRequest = (message: Message): message is ClientMessage => message.from === 'client'

/** Other valid values: every text one letter longer or shorter, every number changed by one. */
function amendedValues(values: Values, { fields }: ClientMessage): Values {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const field = fields[name]
      if (field === undefined || field.kind === 'list') return [name, value]
      if (typeof value === 'boolean') return [name, !value]
      if (field.values !== undefined) return [name, field.values.find((other) => other !== value)]
      if (typeof value === 'number') return [name, value < field.max ? value + 1 : value - 1]
      if (typeof value === 'string') {
        const fits = Buffer.byteLength(value) < field.max
        return [name, fits ? `${value}a` : value.slice(0, -1)]
      }
      return [name, Buffer.from(value as Uint8Array).fill(9)]
    }),
  )
}

const plain = (values: unknown) =>
  JSON.parse(JSON.stringify(values, (_key, value) => (value instanceof Uint8Array ? [...value] : value)))

const MODES = ['allow', 'amend', 'refuse', 'throw', 'hang'] as const

/** The outcome for the sender; undefined where the handler decides it. */
const TOLD: Record<(typeof MODES)[number], string | undefined> = {
  allow: undefined,
  amend: undefined,
  refuse: 'probe.no',
  throw: 'internal',
  hang: 'unavailable',
}

for (const mode of MODES) {
  test(`a before hook of kind "${mode}" works on every message type of clients`, async (t) => {
    const reached: Values[] = []
    let tried: ClientMessage | undefined
    const probe = definePlugin({
      name: 'probe',
      setup(app) {
        for (const message of [...app.catalogue].filter(isRequest)) {
          if (message === Enter) continue
          const hook = (_session: unknown, values: Values) => {
            // A closing client sends a message too, which is not under test.
            if (message !== tried) return undefined
            if (mode === 'refuse') throw new Refused('probe.no', 'not that')
            if (mode === 'throw') throw new TypeError('a bug')
            if (mode === 'amend') return amendedValues(values, message)
            return mode === 'hang' ? new Promise<never>(() => {}) : undefined
          }
          app.before(message, hook, { timeout: HOOK_MS })
          // Runs last: it sees the values that the handler gets.
          app.before(message, (_session, values) => void reached.push(values), { order: 1000 })
        }
      },
    })
    const server = await openServer(t, [doorman, probe], BUILT_IN)
    const { clock } = server
    const loaded = new Set(server.server.catalogue)
    const requests = BUILT_IN_MESSAGES.filter(isRequest).filter((message) => loaded.has(message))
    t.true(requests.length > 40)
    for (const message of requests) {
      reached.length = 0
      const client = await callerFor(message, server)
      const values = sampleValues(message.fields)
      tried = message
      const request = outcomeOf(client.request(message, values as never))
      if (mode === 'hang') await clock.advance(HOOK_MS)
      const outcome = await request
      const what = `${mode} ${message.name}: ${outcome}`
      const told = TOLD[mode]
      if (told === undefined) {
        t.false(['internal', 'probe.no', 'unknown_type', 'not_allowed'].includes(outcome), what)
        t.deepEqual(plain(reached), [plain(mode === 'amend' ? amendedValues(values, message) : values)], what)
      } else {
        t.is(outcome, told, what)
        t.deepEqual(reached, [], what)
      }
      // A session that logged out has ended; every other one still works.
      tried = undefined
      if (!(message.name === 'logout' && outcome === 'ok')) t.is(await outcomeOf(client.request(Ping, {})), 'ok', what)
      await client.close()
    }
    t.deepEqual(degraded(server), mode === 'throw' || mode === 'hang' ? ['probe'] : [])
    t.is(clock.timers(HOOK_MS).pending, 0)
    t.is(clock.timers(HOOK_MS).set, mode === 'hang' ? requests.length : 0, 'a hook that answers at once sets no timer')
  })
}

const LISTENERS = {
  return: () => {},
  throw: () => {
    throw new Error('thrown in a listener')
  },
  reject: () => Promise.reject(new Error('rejected in a listener')),
} as const

/** Answers every built-in request with sample values, so that each succeeds. */
const standIn = definePlugin({
  name: 'stand_in',
  messages: Object.fromEntries(BUILT_IN_MESSAGES.map((message) => [message.name, message])),
  setup(app) {
    const answeredByCore = new Set<Message>(CONTROL_MESSAGES)
    for (const message of BUILT_IN_MESSAGES.filter(isRequest))
      if (!answeredByCore.has(message)) app.handle(message, () => sampleValues(message.reply?.fields ?? {}) as never)
  },
})

/** A test server that is stopped when the test ends; errors of its plugins are expected. */
async function openServer(
  t: ExecutionContext,
  plugins: readonly AnyPlugin[],
  builtIn: readonly AnyPlugin[] = [],
): Promise<TestServer> {
  // Sessions that do not log in stay open although the clock moves on.
  const limits = { messagesBeforeLogin: 1000, login: 1e9 }
  const server = await startOn(openInMemory(await emptyDatabase()), { plugins, limits, ignoreFailures: true }, builtIn)
  t.teardown(() => server.dispose())
  return server
}

for (const [does, listener] of Object.entries(LISTENERS)) {
  test(`a listener of kind "${does}" works for every message type of clients`, async (t) => {
    const told: string[] = []
    const probe = definePlugin({
      name: 'probe',
      setup(app) {
        for (const message of [...app.catalogue].filter(isRequest)) {
          app.on(message, listener)
          app.on(message, () => told.push(message.name))
        }
      },
    })
    const server = await openServer(t, [doorman, probe], [standIn])
    for (const message of BUILT_IN_MESSAGES.filter(isRequest)) {
      const client = await callerFor(message, server)
      told.length = 0
      t.is(await outcomeOf(client.request(message, sampleValues(message.fields) as never)), 'ok', message.name)
      t.deepEqual(told, [message.name])
      t.is(await outcomeOf(client.request(Ping, {})), 'ok', message.name)
      await client.close()
    }
    t.deepEqual(degraded(server), does === 'return' ? [] : ['probe'])
  })
}

const Echoed = serverMessage({ type: 1001, name: 'echoed', about: '', fields: { text: line('') } })
const Echo = clientMessage({
  type: 1000,
  name: 'echo',
  about: '',
  allow: 'any',
  fields: { text: line('', { max: 20 }), times: optional(uint32('', { max: 9 }), 1) },
  reply: Echoed,
})
type Hook = (session: unknown, values: Readonly<ValuesOf<typeof Echo>>, run: HookContext) => unknown

/** A server that echoes, with one before hook. */
async function withRule(t: ExecutionContext, hook: Hook, options: BeforeOptions = {}, more?: (app: App) => void) {
  const handled: Values[] = []
  const plugin = definePlugin({
    name: 'echo',
    messages: { Echo, Echoed },
    setup(app) {
      app.handle(Echo, (_session, values) => {
        handled.push(values)
        return { text: values.text }
      })
      app.before(Echo, hook as never, { timeout: HOOK_MS, ...options })
      more?.(app)
    },
  })
  const server = await openServer(t, [plugin])
  const client = await server.connect()
  const send = (text: string) => client.request(Echo, { text })
  return { clock: server.clock, handled, server, client, send }
}

test('hooks run by order, those of equal order by the start of their plugins', async (t) => {
  const ran: string[] = []
  const rule = (name: string, order?: number, needs: Record<string, AnyPlugin> = {}) =>
    definePlugin({
      name,
      needs,
      setup(app) {
        app.before(Echo, () => void ran.push(name), order === undefined ? {} : { order })
      },
    })
  const early = rule('early')
  const server = await openServer(t, [
    definePlugin({
      name: 'echo',
      messages: { Echo, Echoed },
      setup: (app) => app.handle(Echo, (_session, { text }) => ({ text })),
    }),
    rule('last', 10),
    // Listed first, but started after its dependency.
    rule('late', 0, { early }),
    early,
    rule('first', -1),
  ])
  const client = await server.connect()
  await client.request(Echo, { text: 'hi' })
  t.deepEqual(ran, ['first', 'early', 'late', 'last'])
})

test('a hook that fails open passes the message unchanged, and counts as a failure', async (t) => {
  for (const fail of [() => Promise.reject(new Error('no answer from afar')), () => Promise.reject(undefined)]) {
    const { handled, send, server } = await withRule(t, fail, { failure: 'open' })
    for (let n = 0; n < 5; n++) t.deepEqual(await send('hi'), { text: 'hi' })
    t.deepEqual(handled[0], { text: 'hi', times: 1 })
    t.deepEqual(degraded(server), ['echo'])
  }
})

test('a hook that fails open still refuses with Refused', async (t) => {
  const no = async () => {
    throw new Refused('echo.no', 'no')
  }
  const { send, handled } = await withRule(t, no, { failure: 'open' })
  t.is(await outcomeOf(send('hi')), 'echo.no')
  t.deepEqual(handled, [])
})

test('a hook that times out and fails open passes the message to later hooks', async (t) => {
  const seen: string[] = []
  const { send, clock, server } = await withRule(
    t,
    () => new Promise(() => {}),
    { failure: 'open' },
    (app) => app.before(Echo, (_session, { text }) => void seen.push(text)),
  )
  for (let n = 0; n < 5; n++) {
    const answer = send('hi')
    await clock.advance(HOOK_MS)
    t.deepEqual(await answer, { text: 'hi' })
  }
  t.is(seen.length, 5)
  const [state] = server.status().plugins.filter(({ name }) => name === 'echo')
  t.like(state, { state: 'degraded', reason: 'before echo timed out: no answer within 4321 ms' })
})

test('a failed hook refuses with its configured refusal, without details of the error', async (t) => {
  const refusal = { code: 'echo.unsure', text: 'cannot be checked now' } as const
  const thrown = await withRule(t, () => Promise.reject(new Error('secret path /srv')), { refusal })
  await t.throwsAsync(thrown.send('hi'), { message: 'cannot be checked now' })
  const hung = await withRule(t, () => new Promise(() => {}), { refusal })
  const answer = outcomeOf(hung.send('hi'))
  await hung.clock.advance(HOOK_MS)
  t.is(await answer, 'echo.unsure')
})

test('a result after the time limit of a hook is ignored, whatever it is', async (t) => {
  const late: ((how: (answer: (value: unknown) => void, fail: (error: unknown) => void) => void) => void)[] = []
  const { send, clock, handled, client } = await withRule(
    t,
    () => new Promise((resolve, reject) => void late.push((how) => how(resolve, reject))),
  )
  const unhandled: unknown[] = []
  const listener = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', listener)
  t.teardown(() => process.off('unhandledRejection', listener))
  const answers: ((answer: (value: unknown) => void, fail: (error: unknown) => void) => void)[] = [
    (answer) => answer(undefined),
    (answer) => answer({ text: 'other', times: 2 }),
    (_answer, fail) => fail(new Refused('echo.no')),
    (_answer, fail) => fail(new Error('at last')),
  ]
  for (const how of answers) {
    const told = outcomeOf(send('hi'))
    await clock.advance(HOOK_MS)
    t.is(await told, 'unavailable')
    late.pop()?.(how)
    await nextTurn()
    t.is(await outcomeOf(client.request(Ping, {})), 'ok')
  }
  t.deepEqual(handled, [])
  t.deepEqual(unhandled, [])
})

test('the signal of a hook is aborted at its time limit, also if read only afterwards', async (t) => {
  const runs: HookContext[] = []
  const { send, clock } = await withRule(t, (_session, { text }, run) => {
    runs.push(run)
    if (text === 'at once') return undefined
    return new Promise((_resolve, reject) => {
      if (text === 'asked') run.signal.addEventListener('abort', () => reject(run.signal.reason))
    })
  })
  await send('at once')
  for (const text of ['asked', 'not asked']) {
    const told = outcomeOf(send(text))
    await clock.advance(HOOK_MS)
    t.is(await told, 'unavailable')
  }
  t.deepEqual(
    runs.map(({ signal }) => signal.aborted),
    [false, true, true],
  )
})

test('a hook that returns in time cancels its timer', async (t) => {
  const { send, clock, server } = await withRule(t, async (_session, { text }) => ({ text: `${text}!`, times: 3 }))
  t.deepEqual(await send('hi'), { text: 'hi!' })
  t.deepEqual(clock.timers(HOOK_MS), { set: 1, pending: 0 })
  t.deepEqual(degraded(server), [])
})

const AMENDMENTS: readonly (readonly [string, unknown, BeforeOptions['failure'], string])[] = [
  ['a text too long', { text: 'x'.repeat(21), times: 1 }, 'closed', 'internal'],
  ['a number too high', { text: 'hi', times: 10 }, 'closed', 'internal'],
  ['a field of another type', { text: 5, times: 1 }, 'closed', 'internal'],
  ['nothing of what is needed', {}, 'closed', 'internal'],
  ['true', true, 'closed', 'internal'],
  ['a text too long, but fails open', { text: 'x'.repeat(21), times: 1 }, 'open', 'ok'],
]

for (const [what, amendment, failure = 'closed', expected] of AMENDMENTS) {
  test(`a hook that returns an invalid amendment counts as failed: ${what}`, async (t) => {
    const { send, handled, server } = await withRule(t, () => amendment, { failure })
    for (let n = 0; n < 5; n++) t.is(await outcomeOf(send('hi')), expected)
    t.deepEqual(
      handled.map(({ text }) => text),
      expected === 'ok' ? Array(5).fill('hi') : [],
    )
    const [state] = server.status().plugins.filter(({ name }) => name === 'echo')
    t.regex(state?.reason ?? '', /^before echo amended it wrongly: /)
  })
}

test('fields missing in an amendment take their default, and unknown fields are dropped', async (t) => {
  const { send, handled } = await withRule(t, () => ({ text: 'new', colour: 'red' }))
  await send('hi')
  t.deepEqual(handled, [{ text: 'new', times: 1 }])
})

test('a stopping server waits for a running hook', async (t) => {
  let answer: (value: undefined) => void = () => {}
  let asked = () => {}
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  const { send, server, handled } = await withRule(
    t,
    () =>
      new Promise((resolve) => {
        answer = resolve
        asked()
      }),
  )
  const told = outcomeOf(send('hi'))
  await isAsked
  const stopped = server.server.stop()
  await nextTurn()
  t.deepEqual(handled, [])
  answer(undefined)
  t.is(await told, 'ok')
  await server.clock.advance(1000)
  await stopped
})

const WRONG_RULES: readonly (readonly [BeforeOptions, RegExp])[] = [
  [{ timeout: 0 }, /plugin echo, before echo: timeout is milliseconds/],
  [{ timeout: Number.POSITIVE_INFINITY }, /timeout is milliseconds/],
  [{ order: 'first' as never }, /order is a number/],
  [{ failure: 'ajar' as never }, /failure is "closed" or "open"/],
  [{ refusal: { code: 'no' as never, text: '' } }, /refusal is \{ code: "plugin\.reason"/],
]

for (const [options, message] of WRONG_RULES) {
  test(`a server refuses to start with the hook options ${JSON.stringify(options)}`, async (t) => {
    await t.throwsAsync(
      withRule(t, () => undefined, options),
      { name: 'SetupError', message },
    )
  })
}
