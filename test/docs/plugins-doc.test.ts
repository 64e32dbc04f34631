import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CreateToken } from '../../client/index.ts'
import type { ClientMessage, ServerMessage } from '../../core/index.ts'
import { loadPlugin } from '../../core/plugin/plugin-loader.ts'
import { testServer } from '../../testing/index.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** The plugins of docs/PLUGINS.md, "What the built-in plugins offer", verbatim. */

async function fromDocument(t: ExecutionContext, name: string) {
  const document = await readFile(new URL('../../../docs/PLUGINS.md', import.meta.url), 'utf8')
  const sources = [...document.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, source = '']) => source)
  const source = sources.find((text) => text.includes(`name: '${name}',`) && text.includes('export default'))
  const folder = await tempFolder(t)
  await writeFile(join(folder, `${name}.ts`), source ?? '')
  const plugin = await loadPlugin(`./${name}.ts`, folder)
  const server = await testServer({ plugins: [plugin], limits: { text: 100 } })
  t.teardown(() => server.dispose())
  const messages = Object.values(plugin.messages ?? {})
  return {
    server,
    request: (type: string) => messages.find((message) => message.name === type) as ClientMessage,
    push: (type: string) => messages.find((message) => message.name === type) as ServerMessage,
  }
}

test('cards: Ann reads the card of her friend Bob, and is refused for an unknown user', async (t) => {
  const { server, request } = await fromDocument(t, 'cards')
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const card = (user: string) => ann.request(request('query_card'), { user } as never)
  t.deepEqual(await card('bob'), { nickname: 'bob', role: 'user', friend: false })
  await ann.befriends(bob)
  t.deepEqual(await card('bob'), { nickname: 'bob', role: 'user', friend: true })
  t.is(await ann.refused(card('nobody')), 'user_not_exist')
})

test('bells: Ann rings for the group; Bob, a member, receives it; Carol, who is not one, is refused', async (t) => {
  const { server, request, push } = await fromDocument(t, 'bells')
  const [ann, bob, carol] = [await server.user('ann'), await server.user('bob'), await server.user('carol')]
  await ann.joins('ops')
  await bob.joins('ops')
  await ann.request(request('ring'), { group: 'ops', why: 'lunch' } as never)
  t.deepEqual(await bob.next(push('bell')), { group: 'ops', by: 'ann', why: 'lunch' })
  t.is(await carol.refused(carol.request(request('ring'), { group: 'ops', why: 'me too' } as never)), 'not_member')
  const long = { group: 'ops', why: 'x'.repeat(101) }
  t.is(await ann.refused(ann.request(request('ring'), long as never)), 'too_large')
})

test('lamps: over HTTP one sees whether Ann is there', async (t) => {
  const { server } = await fromDocument(t, 'lamps')
  const lamp = async (user: string) => fetch(`${await server.http()}/lamp?user=${user}`)
  const ann = await server.user('ann')
  t.deepEqual(await (await lamp('ann')).json(), { on: true })
  await ann.client.close()
  await server.settled()
  t.deepEqual(await (await lamp('ann')).json(), { on: false })
  t.is((await lamp('nobody')).status, 404)
})

test('counts: a token of Ann reads the number of her unread messages; without the scope it is refused', async (t) => {
  const { server } = await fromDocument(t, 'counts')
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await bob.says('ann', 'hi')
  const url = await server.http()
  const create = async (read: boolean) =>
    (await ann.request(CreateToken, { name: 'x', read, send: !read, manage: false })).token
  const unread = (token: string) => fetch(`${url}/unread`, { headers: { Authorization: `Bearer ${token}` } })
  t.is(await (await unread(await create(true))).text(), '1')
  t.is((await unread(await create(false))).status, 403)
  t.is((await unread('x')).status, 401)
})

test('reports: Bob reports Ann’s message to him, the moderator receives it once, and messages of others cannot be reported', async (t) => {
  const { server, request } = await fromDocument(t, 'reports')
  const [ann, bob, carol] = [await server.user('ann'), await server.user('bob'), await server.user('carol')]
  const moderator = await server.user('moderator')
  const { id } = await ann.says('bob', 'buy my coins')
  const report = (who: typeof bob) => who.request(request('report'), { id } as never)
  t.deepEqual(await report(bob), { from: 'ann', text: 'buy my coins' })
  await report(bob)
  await moderator.hears('bob reports ann: buy my coins')
  await moderator.hearsNothing()
  t.is(await carol.refused(report(carol)), 'reports.no_message')
})

test('raffle: draws are counted, in all and by role', async (t) => {
  const { server, request } = await fromDocument(t, 'raffle')
  const ann = await server.user('ann')
  await ann.request(request('draw'), {} as never)
  const families = await server.app.metrics.collect()
  const sampleOf = (name: string) => families.find((family) => family.name === name)?.samples[0]
  t.like(sampleOf('chatctl_plugin_raffle_drawn'), { value: 1 })
  t.like(sampleOf('chatctl_plugin_raffle_drawers'), { labels: { role: 'user' }, value: 1 })
  t.like(sampleOf('chatctl_plugin_raffle_waiting'), { value: 0 })
})
