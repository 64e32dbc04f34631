import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { AddFriend, type Client, JoinRoom, OnNewMessage } from '../../client/index.ts'
import { Person } from '../support/browser/person.ts'
import { openWebLine } from '../support/browser/web-page.ts'
import { launchBrowser, testInBrowser } from '../support/browser.ts'
import { Clients } from '../support/clients.ts'
import {
  atAgent,
  atBot,
  atCommand,
  atGateway,
  atHook,
  atOriginalClient,
  atPage,
  callApi,
  commandSays,
  GROUP,
  type Member,
} from '../support/cluster/cast.ts'
import { startNats } from '../support/cluster/nats.ts'
import { canRunCluster, copyKeys, shareableMariadb } from '../support/cluster/processes.ts'
import { startReceiver } from '../support/http/receiver.ts'
import { dialOriginalClient } from '../support/original-client/original-client.ts'
import { openShell } from '../support/processes/shell.ts'
import { refusal } from '../support/requests.ts'

const PASSWORD = 'the same for all'
/** The page accepts no fewer. */
const ITERATIONS = 600_000

interface ShownNode {
  readonly name: string
  readonly consumers: number
  readonly hooks: number
}

/** Three nodes as processes; the first one takes clients of the original. */
async function openCluster(t: ExecutionContext, options: object) {
  const [{ url }, nats, shell] = [await shareableMariadb(t), await startNats(t), await openShell(t)]
  const env = {
    CHATCTL_DB: url,
    CHATCTL_CLUSTER: nats.url,
    CHATCTL_FILES: './files',
    CHATCTL_OPTIONS: JSON.stringify({ registration: { iterations: ITERATIONS, minPassword: 1 }, ...options }),
    CHATCTL_LIMITS: '{"registrations":1000}',
  }
  const serve = async (name: string, args: readonly string[] = []) => {
    if (name !== 'a') await copyKeys(shell, './a', `./${name}`)
    return shell.serve(['--data', `./${name}`, '--node-name', name, '--http', '0', ...args], { env })
  }
  const a = await serve('a', ['--legacy', '0'])
  const [b, c] = [await serve('b'), await serve('c')]
  const command = async (...args: string[]) => {
    const { code, stdout, stderr } = await shell.run(args)
    t.is(code, 0, `${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }
  await writeFile(join(shell.folder, 'pw'), PASSWORD)
  /** The nodes, as `chatctl cluster status` shows them. */
  const nodes = async (): Promise<ShownNode[]> =>
    JSON.parse((await shell.run(['cluster', 'status', '-o', 'json'], { env: { CHATCTL_DB: url } })).stdout)
  return { a, b, c, shell, command, nodes }
}

type Cluster = Awaited<ReturnType<typeof openCluster>>

const portOf = ({ listening }: Cluster['a']) => Number(new URL(listening.http).port)

/** Olga is at the first node; Pat, Gina, Ken and the bot at the second; Cleo and the agent at the third. */
async function register(t: ExecutionContext, { a, b, c, command }: Cluster) {
  const web = await openWebLine(t, portOf(b))
  const registering = await dialOriginalClient(t, a.listening.legacy)
  t.is(await registering.register('olga', PASSWORD, 'Olga'), 101)
  const olga = await dialOriginalClient(t, a.listening.legacy, { splits: true })
  await olga.login('olga', PASSWORD)
  await olga.lists()
  const pat = await Person.visit(t, await launchBrowser(t), web.url, 'pat')
  await pat.register('Pat')
  const register = async (name: string, ...nodes: readonly Cluster['a'][]) => {
    const login = ['--server', nodes.map(({ server }) => server).join(','), '--password-file', 'pw']
    await command('register', name, ...login)
    await command('login', name, ...login)
  }
  await register('cleo', c, a)
  await register('hal', b, c)
  await register('gina', b)
  const account = (name: string) => command('users', 'create', name, '--bot', '--data', './c')
  const [bo] = [await account('bo'), await account('ada')]
  const access = async (name: string, url: string) => {
    const scope = ['--scope', 'send,read,manage']
    const token = await command('tokens', 'create', 'test', '--user', name, ...scope, '--data', './c', '-o', 'plain')
    return { url, token }
  }
  const { user } = new Clients(t, () => ({ address: b.server, control: '' }))
  return {
    web,
    olga,
    pat,
    ken: await user('ken'),
    gina: await access('gina', web.url.slice(0, -1)),
    ada: await access('ada', c.listening.http),
    bo: { server: `${b.server},${c.server}`, key: bo },
  }
}

type Users = Awaited<ReturnType<typeof register>>

/** Pat becomes a friend of Olga, Cleo and Ken, Cleo one of Gina. */
async function befriend(t: ExecutionContext, { command }: Cluster, { olga, pat, ken, gina }: Users) {
  const accepts = async (name: string) => {
    await pat.page.getByRole('button', { name: '1 request is waiting' }).click()
    await pat.press(`Accept the request of ${name}`)
    await pat.dialog.getByText('There are no requests.').waitFor()
    await pat.press('Close', pat.dialog)
  }
  olga.send(4, 'pat')
  await accepts('olga')
  t.deepEqual(await olga.hears(105), ['pat:Pat', 'no chatroom'])
  t.deepEqual(await olga.hears(107), ['OK', 'pat'])
  olga.click()
  await command('friends', 'add', 'pat', '--context', 'cleo')
  await accepts('cleo')
  await ken.request(AddFriend, { user: 'pat' })
  await accepts('ken')
  await command('friends', 'add', 'gina', '--context', 'cleo')
  await callApi(t, gina, '/v1/call/confirm_friend_request', { user: 'cleo', accept: true }, 'accept')
}

/** Everybody but the bot, which joins by itself, becomes a member of the group of Cleo. */
async function joinGroup(t: ExecutionContext, { command }: Cluster, { olga, pat, ken, gina, ada }: Users) {
  await command('groups', 'create', GROUP, '--context', 'cleo')
  olga.send(21, GROUP, 'olga')
  t.deepEqual(await olga.hears(124), ['OK'])
  await olga.hears(105)
  await command('groups', 'invite', GROUP, 'pat', '--context', 'cleo')
  await pat.page.getByRole('button', { name: '1 request is waiting' }).click()
  await pat.press(`Join group ${GROUP}`)
  await pat.dialog.getByText('There are no requests.').waitFor()
  await pat.press('Close', pat.dialog)
  await command('groups', 'join', GROUP, '--context', 'hal')
  for (const program of [gina, ada]) await callApi(t, program, '/v1/call/join_room', { group: GROUP }, 'join')
  await ken.request(JoinRoom, { group: GROUP })
}

/** Private messages in both directions, unread counts, and who is online. */
async function talkPrivately(t: ExecutionContext, cluster: Cluster, { olga, pat }: Users) {
  const { command, shell } = cluster
  await pat.open('olga')
  olga.say('pat', 'from the original')
  await pat.sees('from the original')
  await pat.say('from the page')
  // Lists may come before.
  let heard = await olga.next()
  while (heard.type !== 121) heard = await olga.next()
  t.deepEqual(heard.values.slice(2), ['from the page\n'])

  await pat.open('cleo')
  await pat.contact('cleo').getByText('offline').waitFor()
  await pat.say('are you there?')
  await pat.sees('are you there?')
  const unread = async () => JSON.parse(await command('contacts', '--unread', '--context', 'cleo', '-o', 'json'))
  t.like(await unread(), [{ name: 'pat', unread: 1 }])
  const cleo = atCommand(t, shell, 'cleo')
  await cleo.privately.until('are you there?')
  await pat.contact('cleo').getByText('online', { exact: true }).waitFor()
  t.deepEqual(await unread(), [])

  const friends = JSON.parse(await command('friends', 'list', '--context', 'cleo', '-o', 'json'))
  t.deepEqual(
    friends.map(({ user, online }: { user: string; online: boolean }) => ({ user, online })),
    [
      { user: 'gina', online: false },
      { user: 'pat', online: true },
    ],
  )
  await pat.open(GROUP)
  const reads = shell.start([
    'listen',
    '--type',
    'conversation_read',
    '--context',
    'cleo',
    '-o',
    'ndjson',
    '--count',
    '1',
  ])
  await command('send', 'pat', 'yes', '--context', 'cleo')
  await pat.contact('cleo').getByText('1 unread message').waitFor()
  await pat.open('cleo')
  await pat.sees('yes')
  await pat.contact('cleo').getByText('1 unread message').waitFor({ state: 'detached' })
  const { stdout } = await reads.done
  t.like(JSON.parse(stdout), { reader: 'pat' })
  await pat.open(GROUP)
  return cleo
}

/** What Ken is pushed. */
async function pushedTo(ken: Client): Promise<readonly string[]> {
  const texts: string[] = []
  ken.on(OnNewMessage, ({ messages }) => texts.push(...messages.map(({ text }) => text)))
  await ken.receive()
  return texts
}

/** Resolves when a node holds so many consumers: it tells with each renewal of its lease. @returns all nodes */
async function holding({ nodes }: Cluster, node: string, count: number): Promise<ShownNode[]> {
  for (;;) {
    const shown = await nodes()
    if (shown.find(({ name }) => name === node)?.consumers === count) return shown
  }
}

/** Everybody says something at once, and hears everybody. */
async function talk(members: readonly Member[], word: string, meanwhile = () => {}) {
  const textOf = ({ name }: Member) => `${name} ${word}`
  const saying = members.map((member) => member.say(textOf(member)))
  meanwhile()
  await Promise.all(saying)
  for (const member of members) await member.until(...members.filter((one) => one !== member).map(textOf))
}

testInBrowser('people, programs and agents at three nodes go on together when one is killed', async (t) => {
  if (!canRunCluster(t)) return
  const receiver = await startReceiver(t)
  const cluster = await openCluster(t, { hooks: { networks: ['127.0.0.1'], ports: [receiver.port] } })
  const { b, c, command, shell } = cluster
  const users = await register(t, cluster)
  const { olga, pat, ken, web } = users
  await befriend(t, cluster, users)
  await joinGroup(t, cluster, users)
  const cleo = await talkPrivately(t, cluster, users)
  await command('hooks', 'add', receiver.url, '--user', 'hal', '--data', './b')
  const [gina, bo] = [await atGateway(t, 'gina', users.gina), await atBot(t, 'bo', users.bo, cleo.say)]
  const ada = await atAgent(t, 'ada', users.ada)
  await command('send', 'gina', 'to a program', '--context', 'cleo')
  await gina.privately.until('to a program')
  await gina.tell('cleo', 'from a program')
  await ada.tell('cleo', 'from an agent')
  await command('send', 'bo', '/echo by-a-bot', '--context', 'cleo')
  await cleo.privately.until('from a program', 'from an agent', 'by-a-bot')
  const members: readonly Member[] = [
    atOriginalClient('olga', olga),
    atPage(pat),
    cleo,
    gina,
    bo,
    ada,
    atHook('hal', receiver, commandSays(t, shell, 'hal')),
  ]
  const heardByKen = await pushedTo(ken)

  await talk(members, 'one')
  await command('groups', 'kick', GROUP, 'ken', '--context', 'cleo')
  t.is(await refusal(t, ken.send({ group: GROUP }, 'still here')), 'not_member')
  await talk(members, 'two')
  await pat.contact('ken').getByText('online', { exact: true }).waitFor()
  // The event stream of Gina, the bot, and the hook of Hal.
  t.like(await holding(cluster, 'b', 2), [{ name: 'a', hooks: 0 }, { name: 'b', hooks: 1 }, { name: 'c' }])
  await talk(members, 'three', () => {
    b.child.kill('SIGKILL')
    web.leadTo(portOf(c))
  })
  await pat.contact('ken').getByText('offline').waitFor()
  await talk(members, 'four')
  const [first, second] = await holding(cluster, 'c', 2)
  t.is((first?.hooks ?? 0) + (second?.hooks ?? 0), 1, 'another node posts for the hook')

  const history = ['history', '--group', GROUP, '--context', 'cleo', '-o', 'json', '--limit', '100']
  const stored: { from: string; text: string }[] = JSON.parse(await command(...history))
  const texts = (all: typeof stored) => all.map(({ text }) => text)
  t.is(stored.length, new Set(texts(stored)).size, 'each is stored once')
  t.is(stored.length, members.length * 4 + 4, 'with what Bo was asked')
  for (const { name, hearsOwn, heard } of members) {
    const isHeard = ({ from }: { from: string }) => hearsOwn || from !== name
    t.deepEqual(await heard(), texts(stored.filter(isHeard)), `${name} hears each once, in the order they are stored`)
  }
  const ones = texts(stored).filter((text) => text.includes('one'))
  t.deepEqual(heardByKen, ones, 'Ken hears what was said before he was put out')
  t.false(olga.closed, 'Olga’s node was not touched')
})
