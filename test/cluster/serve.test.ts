import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDatabase } from '../../db/index.ts'
import { startNats } from '../support/cluster/nats.ts'
import { canRunCluster, copyKeys, shareableMariadb } from '../support/cluster/processes.ts'
import { openShell } from '../support/processes/shell.ts'
import { tempFolder } from '../support/temp-folder.ts'

test('two processes serve one database as nodes, and nothing else uses it meanwhile', async (t) => {
  if (!canRunCluster(t)) return
  const [{ url }, nats, shell] = [await shareableMariadb(t), await startNats(t), await openShell(t)]
  const env = { CHATCTL_DB: url }
  const asNode = { env: { ...env, CHATCTL_CLUSTER: nats.url, CHATCTL_FILES: './files' } }
  const one = await shell.serve(['--data', './one', '--node-name', 'one'], asNode)
  const early = await shell.run(['serve', '--data', './two', '--port', '0'], asNode)
  t.is(early.code, 1)
  t.regex(
    early.stderr,
    /no key of the cluster yet: copy server\.key and server\.secret from the data folder of another/,
  )
  await copyKeys(shell, './one', './two')
  const two = await shell.serve(['--data', './two', '--node-name', 'two'], asNode)

  const { stdout } = await shell.run(['cluster', 'status', '-o', 'json'], { env })
  const nodes: { name: string; state: string }[] = JSON.parse(stdout)
  t.like(nodes, [
    { id: 1, name: 'one', state: 'running' },
    { id: 2, name: 'two', state: 'running' },
  ])
  for (const args of [
    ['serve', '--data', './three', '--port', '0'],
    ['db', 'migrate', '--data', './three'],
    ['db', 'drop', '--yes', '--data', './three'],
    ['users', 'create', 'ann', '--bot', '--data', './three'],
  ]) {
    const { code, stderr } = await shell.run(args, { env })
    t.is(code, 5, stderr)
    t.regex(
      stderr,
      /another server or command uses the database mysql:.* as node of a cluster: one, two \(one that was/,
    )
  }
  const status = await shell.run(['status', '--data', './two', '-o', 'plain'])
  t.regex(status.stdout, /^node\ttwo \(2\)$/m)
  t.regex(status.stdout, /^nats\t127\.0\.0\.1:\d+$/m)

  t.is((await two.stop()).code, 0)
  const left = await shell.run(['cluster', 'status', '-o', 'json'], { env })
  t.deepEqual(
    JSON.parse(left.stdout).map(({ name }: { name: string }) => name),
    ['one'],
  )
  t.is((await one.stop()).code, 0)
  t.is((await shell.run(['cluster', 'status'], { env })).code, 3)
  t.is((await shell.run(['db', 'migrate', '--data', './three'], { env })).code, 0)
})

test('a node that was paused until its lease had ended stops with the reason', async (t) => {
  if (!canRunCluster(t)) return
  const [{ url }, nats, shell] = [await shareableMariadb(t), await startNats(t), await openShell(t)]
  const one = await shell.serve([], { env: { CHATCTL_DB: url, CHATCTL_CLUSTER: nats.url, CHATCTL_FILES: './files' } })
  one.child.kill('SIGSTOP')
  const db = await openDatabase(url)
  // As if the time had passed.
  await db('node').update({ until: 1 })
  await db.destroy()
  one.child.kill('SIGCONT')
  const { code, stderr } = await one.done
  t.is(code, 1)
  t.regex(stderr, /the lease of this node has ended: it was paused, or cut from the database/)
})

test('a cluster is refused on a database that shows commits before they are on disk, on SQLite, and without a place for files', async (t) => {
  if (!canRunCluster(t)) return
  const [{ url }, shell] = [await shareableMariadb(t), await openShell(t)]
  const db = await openDatabase(url)
  await db.raw('set global sync_binlog = 0')
  await db.destroy()
  const env = { CHATCTL_CLUSTER: 'nats://127.0.0.1', CHATCTL_WITHOUT: 'files' }
  const early = await shell.run(['serve', '--data', './one'], { env: { ...env, CHATCTL_DB: url } })
  t.regex(
    early.stderr,
    /shows commits before they are on disk \(log_bin is ON, sync_binlog 0\): a cluster needs log_bin/,
  )
  const sqlite = await shell.run(['serve', '--data', './one'], { env })
  t.regex(sqlite.stderr, /a SQLite file .* is for one server: a cluster needs MariaDB or MySQL/)
  t.deepEqual([early.code, sqlite.code], [1, 1])
  const alone = await shell.run(['serve', '--data', './one', '--cluster', 'nats://127.0.0.1'])
  t.is(alone.code, 2)
  t.regex(alone.stderr, /need one place for files\nhint: name a bucket or a folder that all nodes share with --files/)
})

test('doctor checks the servers of NATS, and whether servers may share the database', async (t) => {
  if (!canRunCluster(t)) return
  const permissions = 'permissions: { publish: "other.>", subscribe: "other.>" }'
  const config = join(await tempFolder(t), 'nats.conf')
  await writeFile(
    config,
    `authorization { users = [{ user: a, password: b }, { user: c, password: d, ${permissions} }] }`,
  )
  const [{ url }, nats, shell] = [
    await shareableMariadb(t),
    await startNats(t, { args: ['-c', config] }),
    await openShell(t),
  ]
  t.is((await shell.run(['db', 'migrate'], { env: { CHATCTL_DB: url } })).code, 0)
  const findings = async (cluster: string) => {
    const env = { CHATCTL_CLUSTER: cluster, CHATCTL_DB: url }
    const { code, stdout } = await shell.run(['doctor', '-o', 'json'], { env })
    const list: { check: string; state: string; detail: string }[] = JSON.parse(stdout)
    return {
      code,
      shown: list.filter(({ check }) => /NATS|cluster/.test(check)).map(({ state, detail }) => `${state}: ${detail}`),
    }
  }
  const shared = 'ok: the database shows only what is on disk'
  t.deepEqual(await findings(`nats://a:b@${nats.server}`), {
    code: 0,
    shown: [shared, 'ok: takes and brings messages'],
  })
  const refused = 'Authorization Violation: check the user and password, token, nkey or creds of its URL'
  t.deepEqual(await findings(`nats://a:wrong@${nats.server}`), { code: 1, shown: [shared, `failed: ${refused}`] })
  const { code, shown } = await findings(`nats://c:d@${nats.server}`)
  t.is(code, 1)
  t.regex(shown[1] ?? '', /^failed: Permissions Violation .*: let nodes publish and subscribe to chatctl\.>$/)
  t.regex((await findings('nats://10.0.0.1')).shown[1] ?? '', /^failed: .* without authentication: give it as tls:/)

  await nats.kill()
  const one = await startNats(t)
  t.deepEqual(await findings(`nats://${nats.server},nats://${one.server}`), {
    code: 0,
    shown: [shared, 'warning: connection refused: start it, or correct its URL', 'ok: takes and brings messages'],
  })
  t.like(await findings(`nats://${nats.server}`), { code: 1 })
})

test('the servers of NATS are a setting like others, and are shown without their passwords', async (t) => {
  const shell = await openShell(t)
  const flags = [
    '--cluster',
    'tls://ann:secret@10.0.0.1?ca=./ca.pem,tls://10.0.0.2',
    '--cluster',
    'tls://10.0.0.3:4333',
  ]
  const byFlag = await shell.run(['config', 'show', '-o', 'json', ...flags])
  t.deepEqual(JSON.parse(byFlag.stdout).cluster, [
    'tls://10.0.0.1?ca=./ca.pem',
    'tls://10.0.0.2',
    'tls://10.0.0.3:4333',
  ])
  const env = { CHATCTL_CLUSTER: 'nats://127.0.0.1, nats://127.0.0.1:4223', CHATCTL_NODE_NAME: 'left' }
  const byVariable = await shell.run(['config', 'show', '-o', 'json'], { env })
  t.like(JSON.parse(byVariable.stdout), { cluster: ['nats://127.0.0.1', 'nats://127.0.0.1:4223'], nodeName: 'left' })
})
