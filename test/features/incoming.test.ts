import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  BlockUser,
  CreateIncomingHook,
  QueryIncomingHooks,
  RevokeIncomingHook,
  SetUserActive,
} from '../../client/index.ts'
import type { TestServerOptions } from '../../testing/index.ts'
import { apiServer } from '../support/http/api.ts'
import { requireProgram } from '../support/processes/required.ts'
import { tempFolder } from '../support/temp-folder.ts'

interface Recorded {
  readonly headers: Record<string, string>
  readonly body: object
  /** What is shown; null for nothing. */
  readonly text: string | null
  readonly answer: { readonly status: number; readonly body: string }
}

const RECORDED = new URL('../../../test/vectors/hooks/', import.meta.url)

/** Bodies as their senders send them, with the texts that people have reviewed. */
const recorded = readdirSync(RECORDED).map((file) => {
  return [file.replace('.json', ''), JSON.parse(readFileSync(new URL(file, RECORDED), 'utf8')) as Recorded] as const
})

/** The account `ci`, with a hook that posts to the group that Bob is in. */
async function open(t: ExecutionContext, options: TestServerOptions = {}) {
  const { server, url, call } = await apiServer(t, options)
  const [ci, bob] = [await server.user('ci', { role: 'bot' }), await server.user('bob')]
  await ci.joins('ops')
  await bob.joins('ops')
  const create = (more = {}) => ci.request(CreateIncomingHook, { name: 'alerts', group: 'ops', ...more })
  const { id, token, secret } = await create()
  const post = (body: unknown, headers: Record<string, string> = {}, more = '') =>
    call(`/hooks/${token}${more}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { ...(typeof body !== 'string' && { 'Content-Type': 'application/json' }), ...headers },
    })
  return { server, url, call, ci, bob, create, id, token, secret, post }
}

for (const [name, { headers, body, text, answer }] of recorded)
  test(`a recorded body renders as reviewed: ${name}`, async (t) => {
    const { bob, post } = await open(t)
    const answered = await post(body, headers)
    t.deepEqual([answered.status, answered.text], [answer.status, answer.body])
    if (text === null) return bob.hearsNothing()
    const heard = await bob.hears(() => true)
    t.is(heard.text, text)
    t.like(heard, { from: 'ci', group: 'ops' })
  })

test('forms, text and formats by address are taken; anything else is answered as its sender expects', async (t) => {
  const { bob, call, token, post } = await open(t)
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
  t.is((await post(`payload=${encodeURIComponent('{"text":"in a form"}')}`, form)).text, 'ok')
  await bob.hears('in a form')
  await post('deploy=done & well', form)
  await bob.hears('deploy=done & well')
  await post('plain words', { 'Content-Type': 'text/plain' })
  await bob.hears('plain words')
  const slackToDiscord = await post({ text: 'to /slack' }, {}, '/slack')
  t.is(slackToDiscord.text, 'ok')
  await bob.hears('to /slack')

  t.deepEqual([(await post('{"text"')).status, (await post('{"text"')).text], [400, 'invalid_payload\n'])
  t.deepEqual([(await post({})).status, (await post({})).text], [400, 'no_text\n'])
  t.is((await post({ text: '' })).text, 'no_text\n')
  t.is((await post('x'.repeat(1_100_000))).status, 413)
  t.is((await post({ text: 'x' }, {}, '/teams')).status, 404)
  const shown = await call(`/hooks/${token}`)
  t.like(JSON.parse(shown.text), { type: 1, name: 'alerts' })
  const waited = await post({ content: 'discord' }, {}, '?wait=true')
  t.is(JSON.parse(waited.text).id, String((await bob.hears('discord')).id))
})

test('a repeat of a delivery is stored once', async (t) => {
  const { bob, post } = await open(t)
  const push = recorded.find(([name]) => name === 'github-push')?.[1] as Recorded
  for (let count = 0; count < 3; count++) t.is((await post(push.body, push.headers)).status, 200)
  t.is((await post({ text: 'edited' }, { 'Webhook-Id': 'msg_1' })).status, 200)
  t.is((await post({ text: 'edited again' }, { 'Webhook-Id': 'msg_1' })).status, 200)
  await bob.hears(/pushed 2 commits/)
  await bob.hears('edited')
  await bob.hearsNothing()
})

test('a payload changes neither sender nor target, mentions nobody, and is cut at 8 KiB', async (t) => {
  const { server, bob, post } = await open(t)
  const eve = await server.user('eve')
  await post({ text: 'hi <!everyone> @all @here', username: 'root', channel: '@eve', to: 'eve' })
  const heard = await bob.hears(/^\[root\] hi/)
  t.is(heard.from, 'ci')
  t.is(heard.text, '[root] hi @\u200beveryone @\u200ball @\u200bhere')
  await eve.hearsNothing()
  await post({ text: '鹰'.repeat(5000) })
  const long = await bob.hears(/鹰/)
  t.true(Buffer.byteLength(long.text) <= 8192 && Buffer.byteLength(long.text) > 8180)
  t.regex(long.text, /^鹰+…$/)
})

test('a wrong signature is refused, a missing one where the hook wants it', async (t) => {
  const { call, create, post, bob, secret } = await open(t)
  const body = JSON.stringify({ text: 'signed' })
  const sign = (key: string) => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`
  t.is((await post(body, { 'X-Hub-Signature-256': sign('another') })).status, 401)
  t.is((await post(body, { 'X-Hub-Signature-256': 'sha256=xy' })).status, 401)
  t.is((await post(body, { 'X-Hub-Signature-256': sign(secret) })).status, 200)
  await bob.hears('signed')
  const strict = await create({ signed: true, to: 'bob', group: '' })
  const ask = (headers = {}) => call(`/hooks/${strict.token}`, { method: 'POST', body, headers })
  t.is((await ask()).status, 401)
  t.is((await ask({ 'X-Gitea-Signature': sign(strict.secret).slice(7) })).status, 200)
  await bob.hears('signed', { from: 'ci' })
})

test('an unknown, a revoked and a disabled user’s hook get one answer; wrong addresses are limited', async (t) => {
  const { server, ci, bob, id, post, call, create } = await open(t, { limits: { tokenFailures: 5 } })
  const other = await create({ name: 'kept' })
  const wrong = await call('/hooks/chatctl_x', { method: 'POST', body: 'x' })
  await ci.request(RevokeIncomingHook, { id })
  const revoked = await post('x')
  t.deepEqual([wrong.status, wrong.text], [404, 'no_service\n'])
  t.deepEqual([revoked.status, revoked.text], [404, 'no_service\n'])
  t.is(await bob.refused(bob.request(RevokeIncomingHook, { id: other.id })), 'no_incoming_hook')
  t.like((await ci.request(QueryIncomingHooks, {})).hooks, [{ name: 'kept', group: 'ops', format: 'auto' }])
  const guess = async () => (await call('/hooks/chatctl_x', { method: 'POST', body: 'x' })).status
  const statuses = await Promise.all(Array.from({ length: 8 }, guess))
  t.true(statuses.includes(429))
  const root = await server.user('root', { role: 'admin' })
  await root.request(SetUserActive, { user: 'ci', active: false })
  await server.clock.advance(60_000)
  t.is((await call(`/hooks/${other.token}`, { method: 'POST', body: 'x' })).status, 404)
})

test('a target that does not exist is no target; what its owner may not do is told', async (t) => {
  const limits = { requestRate: 0.1, requestBurst: 6, requestPause: 0 }
  const { call, ci, bob, create } = await open(t, { limits })
  t.is(await ci.refused(create({ group: 'nothing' })), 'group_not_exist')
  t.is(await ci.refused(create({ group: '', to: 'nobody' })), 'user_not_exist')
  t.is(await ci.refused(create({ group: '', to: '' })), 'invalid_value')
  const { token } = await create({ group: '', to: 'bob' })
  const post = () => call(`/hooks/${token}`, { method: 'POST', body: 'x' })
  t.is((await post()).status, 200)
  await bob.request(BlockUser, { user: 'ci' })
  const blocked = await post()
  t.deepEqual([blocked.status, blocked.text], [403, 'blocked: this user has blocked you\n'])
  let answer = blocked
  for (let count = 0; count < 80 && answer.status !== 429; count++) answer = await post()
  t.is(answer.status, 429)
  t.regex(answer.headers['retry-after'] ?? '', /^[1-9]/)
})

test('Debian’s apprise delivers to a group: Mattermost, Rocket.Chat and JSON', async (t) => {
  if (!requireProgram(t, 'apprise')) return
  const { url, bob, token } = await open(t)
  const { host } = new URL(url)
  const apprise = async (address: string) => {
    const child = spawn('apprise', ['-vv', '-t', 'Backup', '-b', 'done', address], { stdio: 'pipe' })
    const output: string[] = []
    child.stdout.on('data', (chunk) => output.push(String(chunk)))
    child.stderr.on('data', (chunk) => output.push(String(chunk)))
    const [code] = await once(child, 'close')
    t.is(code, 0, output.join(''))
  }
  await apprise(`mmost://${host}/${token}`)
  await bob.hears(/Backup\n+done/, { within: 20_000 })
  await apprise(`rocket://${host}/?webhook=${token}&mode=webhook`)
  await bob.hears(/done/, { within: 20_000 })
  await apprise(`json://${host}/hooks/${token}`)
  await bob.hears('Backup\ndone', { within: 20_000 })
})

test('Debian’s Alertmanager delivers to a group, by its webhook and by Slack’s', async (t) => {
  if (!requireProgram(t, 'prometheus-alertmanager')) return
  const { url, bob, token, create } = await open(t)
  const direct = await create({ group: '', to: 'bob' })
  const folder = await tempFolder(t)
  await writeFile(
    join(folder, 'alertmanager.yml'),
    `route: { receiver: chat, group_wait: 0s, group_interval: 1s }
receivers:
  - name: chat
    webhook_configs: [{ url: '${url}/hooks/${token}' }]
    slack_configs: [{ api_url: '${url}/hooks/${direct.token}', channel: '#ops' }]
`,
  )
  const listen = ['--web.listen-address=127.0.0.1:0', '--cluster.listen-address=']
  const child = spawn('prometheus-alertmanager', ['--config.file=alertmanager.yml', '--storage.path=data', ...listen], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let address: string | undefined
  let log = ''
  for await (const chunk of child.stderr) {
    log += String(chunk)
    address = /msg="?Listening on"? address=(\S+)/i.exec(log)?.[1] ?? /address=(127\.0\.0\.1:\d+)/.exec(log)?.[1]
    if (address !== undefined) break
  }
  child.stderr.resume()
  t.truthy(address, log)
  const alert = { labels: { alertname: 'DiskFull', severity: 'critical' }, annotations: { summary: 'web1 is full' } }
  const raised = await fetch(`http://${address}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([alert]),
  })
  t.is(raised.status, 200)
  await bob.hears(/^🔴 FIRING: DiskFull \(1\)\n• DiskFull \(critical\)\n {2}web1 is full/, {
    group: 'ops',
    within: 20_000,
  })
  await bob.hears(/DiskFull/, { from: 'ci', within: 20_000 })
  child.kill('SIGTERM')
  await once(child, 'close')
})
