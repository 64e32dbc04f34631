import type { ExecutionContext } from 'ava'
import { JoinRoom } from '../../client/index.ts'
import { passwordOf } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { openPage, testInBrowser } from '../support/browser.ts'
import { openOriginalClient } from '../support/original-client/original-client.ts'
import { openShell } from '../support/processes/shell.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

testInBrowser(
  'two tabs are one session: both show what one sends and hears, and closing one keeps the other',
  async (t) => {
    const { server, web, person } = await openStage(t)
    const bob = await server.user('bob')
    const first = await person('ann')
    await first.openUser('bob')
    const second = first.in(await openPage(t, first.context, first.page.url()))
    await second.input.waitFor()
    await web.connected(1)

    await first.say('from the first tab')
    await second.sees('from the first tab')
    await bob.send('ann', 'to both')
    await first.sees('to both')
    await second.sees('to both')

    await first.page.close()
    await second.say('still here')
    await second.sees('still here')
    await web.connected(1)
    t.deepEqual(await second.texts(), ['from the first tab', 'to both', 'still here'])
  },
)

const sessionsOf = ({ server }: LocalServer, name: string) =>
  [...server.sessions].filter(({ user }) => user.name === name).length

/** A user of the command line, who listens to all messages from now on. */
async function enterByCommand(t: ExecutionContext, { address }: LocalServer, user: string) {
  const shell = await openShell(t)
  const run = async (...args: string[]) => {
    const { code, stderr } = await shell.run(args, { input: `${passwordOf(user)}\n` })
    t.is(code, 0, stderr)
  }
  await run('register', user, '--server', address, '--password-file', '-')
  await run('login', user, '--server', address, '--password-file', '-')
  return { run, listen: (count: number) => shell.start(['listen', '--count', String(count), '-o', 'ndjson']) }
}

testInBrowser(
  'a group in two tabs, a Chinese page, the command line and the original client: all see all',
  async (t) => {
    const stage = await openStage(t, { legacy: { host: '127.0.0.1', port: 0 } })
    const { server, web } = stage
    const first = await stage.person('ann')
    await first.press('Create or join a group')
    await first.dialog.getByLabel('Name of the group').first().fill('all')
    await first.press('Create group', first.dialog)
    await first.input.waitFor()
    const second = first.in(await openPage(t, first.context, first.page.url()))
    const bobElsewhere = await server.user('bob')
    await bobElsewhere.request(JoinRoom, { group: 'all' })
    const carl = await enterByCommand(t, server, 'carl')
    await carl.run('groups', 'join', 'all')
    const listening = carl.listen(5)
    const original = await openOriginalClient(t, server)
    await original.register('old', "old's password", 'old')
    const old = await openOriginalClient(t, server)
    t.truthy(await old.login('old', "old's password"))
    await old.lists()
    old.send(21, 'all', 'old')
    t.deepEqual(await old.hears(124), ['OK'])
    await old.hears(105)
    const bob = await stage.visitor('bob', { locale: 'zh-CN', colorScheme: 'dark' })
    await bob.logIn()
    await bob.open('all')
    await web.connected(2)
    t.is(sessionsOf(server, 'ann'), 1, 'one for two tabs')

    await first.say('ann, first tab')
    await second.sees('ann, first tab')
    await second.say('ann, second tab')
    await bob.sees('ann, second tab')
    await bob.say('鲍勃')
    await first.sees('鲍勃')
    await carl.run('send', '--group', 'all', 'from the shell')
    for (const person of [first, second, bob]) await person.sees('from the shell')
    // What bob writes elsewhere is shown in his page too.
    await bobElsewhere.send({ group: 'all' }, 'bob, elsewhere')
    for (const person of [first, second, bob]) await person.sees('bob, elsewhere')

    old.sayTo('all', 'from the original')
    for (const person of [first, second, bob]) await person.sees('from the original')

    const all = ['ann, first tab', 'ann, second tab', '鲍勃', 'from the shell', 'bob, elsewhere', 'from the original']
    for (const person of [first, second, bob]) t.deepEqual(await person.texts(), all)
    const { stdout } = await listening.done
    t.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).text),
      all.filter((text) => text !== 'from the shell'),
    )
    for (const text of all.slice(0, -1)) t.is((await old.hears(122)).at(-1), `${text}\n`)

    await first.page.close()
    await second.say('still here')
    await second.sees('still here')
    t.is(sessionsOf(server, 'ann'), 1)
  },
)

testInBrowser('what goes over the line shows neither passwords nor texts', async (t) => {
  const { server, web, person } = await openStage(t)
  await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await ann.say('a secret between us')
  await ann.sees('a secret between us')
  const sent = Buffer.concat(web.sent)
  t.true(sent.length > 500)
  // Frames of a browser are masked, so the records are looked at as the server gets them.
  for (const secret of ["ann's password", 'a secret between us']) t.false(unmasked(sent).includes(secret))
})

testInBrowser('without shared workers each tab has a session of its own', async (t) => {
  const { web, browser } = await openStage(t)
  const context = await browser.newContext()
  await context.addInitScript('delete globalThis.SharedWorker')
  const [one, other] = [await openPage(t, context, web.url), await openPage(t, context, web.url)]
  const { Person } = await import('../support/browser/person.ts')
  const ann = new Person('ann', one)
  await ann.register()
  const again = ann.in(other)
  await again.logIn()
  await web.connected(2)
  await ann.openUser('ann')
  await again.openUser('ann')
  await ann.say('note')
  await again.sees('note')
  t.deepEqual(await again.texts(), ['note'])
})

testInBrowser('a server with another key is refused until the user confirms the key', async (t) => {
  const { web, person } = await openStage(t)
  const ann = await person('ann')
  const impostor = await startLocalServer(t)
  await web.serve(impostor.server)
  web.cut()
  await ann.page.getByRole('heading', { name: 'The server shows another key' }).waitFor()
  t.true((await ann.page.locator('.keys').textContent())?.includes(impostor.server.fingerprint))
  t.is(await ann.page.getByLabel('Password').count(), 0)
  t.true(await ann.page.getByRole('button', { name: 'Trust the new key' }).isDisabled())
  await ann.page.getByLabel('The operator has confirmed the new key').check()
  await ann.press('Trust the new key')
  await ann.page.getByText(impostor.server.fingerprint).waitFor()
})

testInBrowser('the server restarts under the open page: nothing is lost', async (t) => {
  const { server, web, person } = await openStage(t)
  const ann = await person('ann')
  await ann.openUser('bob')
  await (await server.user('bob')).close()
  await ann.say('before')
  await ann.sees('before')
  await server.close()
  await ann.contacts.getByText('No connection').waitFor()
  await ann.say('meanwhile')
  const again = await startLocalServer(t, { data: server.data })
  await web.serve(again.server)
  await ann.contacts.getByText('No connection').waitFor({ state: 'detached' })
  await ann.page.locator('.unsent').waitFor({ state: 'detached' })
  await ann.say('after')
  await ann.sees('after')
  t.deepEqual(await ann.texts(), ['before', 'meanwhile', 'after'])
})

testInBrowser('a second start finds everything as it was; a revoked browser is out at once', async (t) => {
  const { server, web, person, visitor } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'hello')
  await ann.open('bob')
  await ann.sees('hello')
  await ann.input.fill('a draft')
  const address = ann.page.url()
  await ann.page.close()
  const again = ann.in(await openPage(t, ann.context, address))
  await again.sees('hello')
  t.is(await again.input.inputValue(), 'a draft')

  const other = await visitor('ann')
  await other.logIn()
  await other.press('Settings')
  await other.dialog.getByText('This device').waitFor()
  await other.press(/^Log out Chrome/, other.dialog)
  await again.page.getByRole('button', { name: 'Log in' }).waitFor()
  await again.page.reload()
  await again.page.getByRole('button', { name: 'Log in' }).waitFor()
  await web.connected(1)
})

testInBrowser(
  'a changed password ends other sessions, not this one; after a logout the browser forgets its key',
  async (t) => {
    const { person, visitor } = await openStage(t)
    const ann = await person('ann')
    const other = await visitor('ann')
    await other.logIn()
    await ann.press('Settings')
    await ann.dialog.getByLabel('Current password').fill("ann's password")
    await ann.dialog.getByLabel('New password').fill('quite another')
    await ann.press('Change password', ann.dialog)
    await other.page.getByRole('button', { name: 'Log in' }).waitFor()
    await ann.page.getByText('The password was changed.').waitFor()
    await ann.page.reload()
    await ann.contacts.waitFor()
    await ann.press('Settings')
    await ann.press('Log out', ann.dialog)
    await ann.page.getByRole('button', { name: 'Log in' }).waitFor()
    await ann.page.reload()
    await ann.page.getByRole('button', { name: 'Log in' }).waitFor()
    t.is(await ann.contacts.count(), 0)
  },
)

testInBrowser('wrong passwords, taken names and an unreachable server are explained', async (t) => {
  const { server, web, visitor } = await openStage(t)
  await server.user('ann')
  const ann = await visitor('ann')
  await ann.page.getByLabel('User name').fill('ann')
  await ann.page.getByLabel('Password').fill('wrong')
  await ann.press('Log in')
  await ann.page.getByText('Wrong user name or password.').waitFor()
  await ann.press('Create an account')
  await ann.page.getByLabel('User name').fill('ann')
  await ann.page.getByLabel('Password').fill('something')
  await ann.press('Create account')
  await ann.page.getByText('This user name is taken.').waitFor()
  web.block(true)
  await ann.page.close()
  const again = ann.in(await openPage(t, ann.context, web.url))
  await again.page.getByText('The server cannot be reached.').waitFor()
  await again.page.getByRole('button', { name: 'Try again' }).waitFor()
  web.block(false)
  // It tries again by itself, too.
  await again.page.getByRole('button', { name: 'Log in' }).waitFor()
  t.is(await again.page.getByRole('alert').filter({ hasText: /./ }).count(), 0)
  t.is(await again.page.getByLabel('User name').inputValue(), '')
})

testInBrowser('the page opens without a server once it was opened with it', async (t) => {
  const { web, visitor } = await openStage(t)
  const ann = await visitor('ann')
  await ann.page.evaluate('navigator.serviceWorker.ready.then(() => undefined)')
  web.stop()
  await ann.page.reload()
  await ann.page.getByText('The server cannot be reached.').waitFor()
  t.is(ann.page.url(), web.url)
})

/** Payloads of masked WebSocket frames, one after another. */
function unmasked(frames: Buffer): Buffer {
  const payloads: Buffer[] = []
  for (let at = 0; at + 2 <= frames.length; ) {
    const short = (frames[at + 1] ?? 0) & 0x7f
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const length =
      lengthBytes === 0 ? short : frames.readUIntBE(at + 2 + Math.max(0, lengthBytes - 6), Math.min(lengthBytes, 6))
    const mask = frames.subarray(at + 2 + lengthBytes, at + 6 + lengthBytes)
    const start = at + 6 + lengthBytes
    payloads.push(
      Buffer.from(frames.subarray(start, start + length)).map((byte, n) => byte ^ (mask[n % 4] ?? 0)) as Buffer,
    )
    at = start + length
  }
  return Buffer.concat(payloads)
}
