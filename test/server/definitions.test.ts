import test from 'ava'
import pino from 'pino'
import {
  clientMessage,
  createServer,
  definePlugin,
  FAILURES,
  type FailureDefinition,
  generateKeyPair,
  liftable,
  limit,
  pluginFailures,
  pluginLimits,
  QueryProtocol,
  Refused,
} from '../../core/index.ts'
import { openInMemory } from '../../db/index.ts'
import { BUILT_IN_LIMITS } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'

const Open = clientMessage({ type: 1900, name: 'shop_open', about: 'Opens a shop.', allow: 'user', fields: {} })

const SHOP_FAILURES = pluginFailures('shops', { no_room: 'there are enough shops' })

const shops = definePlugin({
  name: 'shops',
  messages: { Open },
  failures: SHOP_FAILURES,
  limits: pluginLimits('shops', {
    open: limit(1, 'count', 'shops open at once; beyond it another is refused'),
    openRate: liftable(5, 'per hour', 'shops that one user opens'),
  }),
  setup(app, { limits }) {
    let open = 0
    app.handle(Open, () => {
      if (open === limits.open) throw new Refused(SHOP_FAILURES.no_room)
      open++
    })
    app.status(() => ({ openRate: limits.openRate }))
  },
})

test('a plugin refuses with failures of its own, within limits of its own', async (t) => {
  await using server = await testServer({ plugins: [shops] })
  const ann = await server.user('ann')
  await ann.request(Open, {})
  const refused = await t.throwsAsync(ann.request(Open, {}))
  t.like(refused, { failure: 'shops.no_room', message: 'there are enough shops' })
})

test('a limit above what the protocol carries is refused', async (t) => {
  await t.throwsAsync(testServer({ limits: { groupMembers: 2001, friends: 2000 } }), {
    message: /limits\.groupMembers is 2001, at most 2000 is possible/,
  })
})

test('an operator sets the limits of a plugin as plugin.limit, sees them and lifts its rates', async (t) => {
  await using server = await testServer({ plugins: [shops], limits: { 'shops.open': 2, friends: 7 } })
  const ann = await server.user('ann')
  await ann.request(Open, {})
  await ann.request(Open, {})
  t.is(await ann.refused(ann.request(Open, {})), 'shops.no_room')
  const { limits } = await ann.request(QueryProtocol, {})
  t.like(JSON.parse(limits), { 'shops.open': 2, friends: 7, text: 16_384, handshake: 5000 })
  t.like(server.status(), { 'shops.openRate': Number.MAX_SAFE_INTEGER })
})

test('a setting that is no limit of a loaded plugin is an error at start', async (t) => {
  const error = await t.throwsAsync(testServer({ plugins: [shops], limits: { 'shops.closed': 1 } }))
  t.like(error, {
    name: 'SetupError',
    message: 'limits.shops.closed: no loaded plugin has that limit',
    isSetting: true,
  })
  // One of a built-in plugin that is left out is none, but no mistake either.
  const server = await testServer({ without: ['tap'], limits: { tapRate: 1 } })
  t.false('tapRate' in server.server.limits)
  await server.dispose()
})

const named = (name: string, code = 0): FailureDefinition => ({ ...FAILURES.internal, name, code })

for (const [title, failures, limits, message] of [
  ['a failure of the server', { a: named('internal') }, {}, /plugin other: failure internal .*pluginFailures\('other'/],
  ['a code', { a: named('other.a', 7) }, {}, /plugin other: failure other\.a with code 7/],
  ['a limit of a feature', {}, { a: BUILT_IN_LIMITS.friends }, /plugin other: limit friends; .*pluginLimits\('other'/],
] as const)
  test(`a plugin by others takes ${title}: an error at start`, async (t) => {
    const other = definePlugin({ name: 'other', failures, limits, setup() {} })
    await t.throwsAsync(testServer({ plugins: [other] }), { name: 'SetupError', message })
  })

test('two definitions of one name or code are an error that names both owners', async (t) => {
  const clash = async (failures: { readonly [key: string]: FailureDefinition }, limits = {}) => {
    const feature = definePlugin({ name: 'feature', failures, limits, setup() {} })
    const log = pino({ level: 'silent' })
    const db = openInMemory()
    t.teardown(() => db.destroy())
    const shop = definePlugin({ ...shops, setup() {} })
    const start = createServer({
      staticKey: generateKeyPair(),
      secret: Buffer.alloc(32),
      plugins: [shop, feature],
      db,
      log,
      audit: log,
    })
    return (await t.throwsAsync(start, { name: 'SetupError' })).message
  }
  t.is(
    await clash({ a: named('shops.no_room') }),
    'plugin feature defines the failure shops.no_room, and so does plugin shops',
  )
  t.is(
    await clash({ a: named('internal', 900) }),
    'plugin feature defines the failure internal, and so does the server',
  )
  t.is(
    await clash({ a: named('new', FAILURES.internal.code) }),
    'plugin feature defines the failure new with code 11, which is internal of the server',
  )
  const open = { ...shops.limits?.open, about: 'another one' }
  t.is(await clash({}, { open }), 'plugin feature defines the limit shops.open, and so does plugin shops')
})
