import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nkeys } from '@nats-io/transport-node'
import test from 'ava'
import { CliError } from '../../cli/errors/exit.ts'
import { natsServers } from '../../cli/server/cluster/nats-settings.ts'
import type { Cluster } from '../../core/cluster/cluster.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { connected, openLink, refusedLink, startNats, startNatsCluster } from '../support/cluster/nats.ts'
import { requireProgram } from '../support/processes/required.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { openProxy } from '../support/wire/proxy.ts'

/** The next payload of a topic. */
const next = (cluster: Cluster, topic: string): Promise<[payload: unknown, from: number]> =>
  new Promise((resolve) => {
    const stop = cluster.hear(topic, (payload, from) => {
      stop()
      resolve([payload, from])
    })
  })

/** Says it until it is heard: servers of NATS that form a cluster learn of subscriptions a moment later. */
async function reaches(from: Cluster, to: Cluster, topic: string) {
  const heard = next(to, topic)
  const repeat = setInterval(() => from.say(topic, 'there?'), 20)
  await heard
  clearInterval(repeat)
}

test('nodes at different servers of NATS hear each other, and not themselves', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const [left, right] = await startNatsCluster(t, 2)
  if (left === undefined || right === undefined) return t.fail()
  const [one, two] = [openLink(t, 1, [left.url]), openLink(t, 2, [right.url])]
  await Promise.all([connected(one), connected(two)])
  await reaches(one.cluster, two.cluster, 'ready')
  const own: unknown[] = []
  one.cluster.hear('news', (payload) => own.push(payload))
  const heard = next(two.cluster, 'news')
  one.cluster.say('news', { text: '你好 😀' })
  t.deepEqual(await heard, [{ text: '你好 😀' }, 1])
  const back = next(one.cluster, 'back')
  two.cluster.say('back', [1, null])
  t.deepEqual(await back, [[1, null], 2])
  t.deepEqual(own, [])
  t.is(one.peer(), left.server)
})

test('a question is answered by all nodes that can; the others are named', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  const [one, two, three] = [1, 2, 3].map((node) => openLink(t, node, [nats.url]))
  if (one === undefined || two === undefined || three === undefined) return t.fail()
  await Promise.all([connected(one), connected(two), connected(three)])
  two.cluster.answer('double', async (question) => Number(question) * 2)
  three.cluster.answer('double', () => {
    throw new Error('broken')
  })
  t.deepEqual(await one.cluster.ask('double', 21), { answers: new Map([[2, 42]]), silent: [3] })
  t.deepEqual(await one.cluster.ask('unknown', 1), { answers: new Map(), silent: [2, 3] })
  await two.close()
  t.deepEqual(await one.cluster.ask('double', 21), { answers: new Map(), silent: [2, 3] })
})

test('a question does not wait for a node that has fallen silent', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  // It stands still unless it is moved: a question that waits would never end.
  const clock = new TestClock()
  const one = openLink(t, 1, [nats.url], { clock })
  const others = [2, 3].map((node) => openLink(t, node, [nats.url]))
  const [two, three] = others
  if (two === undefined || three === undefined) return t.fail()
  await Promise.all([one, two, three].map(connected))
  three.cluster.answer('double', (question) => Number(question) * 2)
  await reaches(two.cluster, one.cluster, 'ready')
  await two.close()
  await clock.advance(3001)
  await reaches(three.cluster, one.cluster, 'ready')
  t.deepEqual(await one.cluster.ask('double', 21), { answers: new Map([[3, 42]]), silent: [2] })
})

test('nodes of another database on the same NATS hear nothing', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  const [one, two, stranger] = [1, 2, 3].map((node) =>
    openLink(t, node, [nats.url], { room: node === 3 ? 'other' : 'room' }),
  )
  if (one === undefined || two === undefined || stranger === undefined) return t.fail()
  await Promise.all([connected(one), connected(two), connected(stranger)])
  stranger.cluster.hear('news', () => t.fail())
  const heard = next(two.cluster, 'news')
  one.cluster.say('news', 1)
  t.deepEqual(await heard, [1, 1])
  t.is((await stranger.cluster.ask('news', 1)).answers.size, 0)
})

test('a node whose server of NATS is killed goes to the next one, and learns that it may have missed something', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const [near, far] = await startNatsCluster(t, 2)
  if (near === undefined || far === undefined) return t.fail()
  const [one, two] = [openLink(t, 1, [near.url, far.url]), openLink(t, 2, [far.url])]
  await Promise.all([connected(one), connected(two)])
  const again = connected(one)
  await near.kill()
  await again
  t.is(one.peer(), far.server)
  const heard = next(two.cluster, 'news')
  one.cluster.say('news', 'here')
  t.deepEqual(await heard, ['here', 1])
  t.is(one.figures.gaps, 2)
})

test('a node leaves a server of NATS that hangs', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const [near, far] = await startNatsCluster(t, 2)
  if (near === undefined || far === undefined) return t.fail()
  const one = openLink(t, 1, [near.url, far.url])
  await connected(one)
  const again = connected(one)
  near.signal('SIGSTOP')
  await again
  t.is(one.peer(), far.server)
})

test('a node runs without NATS, and is connected when NATS is there', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  const one = openLink(t, 1, [nats.url])
  await connected(one)
  await nats.kill()
  t.deepEqual(await one.cluster.ask('double', 21), { answers: new Map(), silent: [2, 3] })
  one.cluster.say('news', 'nobody hears this')
  const again = connected(one)
  await nats.start()
  await again
  t.is(one.peer(), nats.server)
  t.true(one.figures.lost >= 1)
})

test('a payload that is too long for NATS is lost, and the connection stays', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  const [one, two] = [openLink(t, 1, [nats.url]), openLink(t, 2, [nats.url])]
  await Promise.all([connected(one), connected(two)])
  one.cluster.say('news', 'x'.repeat(2 ** 21))
  const heard = next(two.cluster, 'news')
  one.cluster.say('news', 'short')
  t.deepEqual(await heard, ['short', 1])
  t.is(one.figures.lost, 1)
})

test('a listener that throws keeps nothing from the others', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  const [one, two] = [openLink(t, 1, [nats.url]), openLink(t, 2, [nats.url])]
  await Promise.all([connected(one), connected(two)])
  two.cluster.hear('news', () => {
    throw new Error('broken')
  })
  const heard = next(two.cluster, 'news')
  one.cluster.say('news', 1)
  t.deepEqual(await heard, [1, 1])
})

test('nodes enter NATS with a password or a token', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const withPassword = await startNats(t, { args: ['--user', 'ann', '--pass', 'p@ss'] })
  const withToken = await startNats(t, { args: ['--auth', 'secret'] })
  const [byPassword, byToken] = [
    openLink(t, 1, [`nats://ann:p%40ss@${withPassword.server}`]),
    openLink(t, 2, [`nats://secret@${withToken.server}`]),
  ]
  await Promise.all([connected(byPassword), connected(byToken)])
  // The first server refuses the wrong password: the node goes on to the next.
  const wrong = openLink(t, 3, [`nats://secret@${withPassword.server}`, `nats://secret@${withToken.server}`])
  await connected(wrong)
  t.is(wrong.peer(), withToken.server)
})

test('nodes enter NATS by TLS, and trust only the authority that is named', async (t) => {
  if (!requireProgram(t, 'nats-server') || !requireProgram(t, 'openssl')) return
  const folder = await tempFolder(t)
  const [cert, key, other] = ['cert.pem', 'key.pem', 'other.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=nats', '-addext', 'subjectAltName=IP:127.0.0.1']
  await promisify(execFile)('openssl', [...made, ...subject, '-keyout', join(folder, 'unused.pem'), '-out', other])
  await promisify(execFile)('openssl', [...made, ...subject, '-keyout', key, '-out', cert])
  const nats = await startNats(t, { args: ['--tls', '--tlscert', cert, '--tlskey', key] })
  const link = openLink(t, 1, [`tls://${nats.server}?ca=${cert}`])
  await connected(link)
  t.is(link.peer(), nats.server)
  const plain = await startNats(t)
  const distrustful = await refusedLink(t, 2, [`tls://${nats.server}?ca=${other}`])
  t.regex(distrustful.logged.err.message, /certificate/)
  const unencrypted = await refusedLink(t, 3, [`tls://${plain.server}?ca=${cert}`])
  t.regex(unencrypted.logged.err.message, /tls/)
  t.deepEqual([distrustful.link.peer(), unencrypted.link.peer()], [undefined, undefined])
})

test('nodes enter NATS by an nkey', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const folder = await tempFolder(t)
  const [own, other] = [nkeys.createUser(), nkeys.createUser()]
  const files = { config: join(folder, 'nats.conf'), seed: join(folder, 'seed'), other: join(folder, 'other') }
  await writeFile(files.config, `authorization { users = [ { nkey: ${own.getPublicKey()} } ] }`)
  await writeFile(files.seed, own.getSeed())
  await writeFile(files.other, other.getSeed())
  const nats = await startNats(t, { args: ['-c', files.config] })
  const link = openLink(t, 1, [`${nats.url}?nkey=${files.seed}`])
  await connected(link)
  t.is(link.peer(), nats.server)
  const stranger = await refusedLink(t, 2, [`${nats.url}?nkey=${files.other}`])
  t.regex(stranger.logged.err.message, /authorization/i)
})

/** The error and hint of wrong URLs. */
const refusal = (...urls: string[]): string => {
  try {
    natsServers(urls)
  } catch (error) {
    if (error instanceof CliError) return `${error.message}; ${error.hint}`
    throw error
  }
  return 'none'
}

test('NATS on another machine needs authentication and TLS', (t) => {
  t.regex(refusal('nats://nats.example.org'), /without authentication; give it as tls:\/\/USER:PASSWORD@HOST/)
  t.regex(refusal('nats://ann:pass@nats.example.org'), /without TLS; name it tls:/)
  t.regex(refusal('nats://127.0.0.1', 'nats://10.0.0.2'), /10\.0\.0\.2:4222 is on another machine/)
  t.is(refusal('tls://ann:pass@nats.example.org', 'tls://10.0.0.2'), 'none')
  t.is(refusal('tls://token@nats.example.org'), 'none')
  t.is(refusal('nats://127.0.0.1', 'nats://[::1]:4223', 'nats://localhost'), 'none')
})

test('wrong URLs of NATS are refused with what is right', (t) => {
  t.regex(refusal('http://127.0.0.1'), /is nats:\/\/HOST\[:PORT\]/)
  t.regex(refusal('127.0.0.1:4222'), /is nats:/)
  t.regex(refusal('nats://127.0.0.1?tls=yes'), /takes \?nkey=FILE, .*, not \?tls=/)
  t.regex(refusal('nats://127.0.0.1?nkey=/nowhere/seed'), /cannot read \/nowhere\/seed/)
  t.regex(refusal('tls://a:b@127.0.0.1', 'nats://127.0.0.1'), /entered in another way than tls:.*TLS to all or none/)
  t.regex(refusal('nats://a:b@127.0.0.1', 'nats://a:c@127.0.0.1'), /entered in another way/)
  t.deepEqual(natsServers(['nats://a:b@127.0.0.1', 'nats://127.0.0.1:5000']), [
    { address: '127.0.0.1:4222', access: { user: 'a', pass: 'b' } },
    { address: '127.0.0.1:5000', access: { user: 'a', pass: 'b' } },
  ])
})

test('a connection to NATS that breaks before the server has answered is made again', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const [host = '', port] = (await startNats(t)).server.split(':')
  let chunks = 0
  // The first is the login, the second asks whether the subscriptions hold.
  const loses = (from: 'client' | 'server') => from === 'client' && ++chunks === 2
  const proxy = await openProxy(t, { host, port: Number(port) }, { keep: false, loses })
  await connected(openLink(t, 1, [`nats://${proxy.address}`]))
  t.true(chunks > 2)
})
