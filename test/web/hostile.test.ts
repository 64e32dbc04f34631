import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

const MARKUP = '<img src=x onerror="globalThis.harmed = true"><script>globalThis.harmed = true</script>'

testInBrowser('markup, links to code and control characters stay text', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const texts = [
    MARKUP,
    'javascript:globalThis.harmed=true data:text/html,<b>x</b> http://exa mple',
    '\u202etxet desrever\u202c \u2066isolated',
    'see https://example.com/a_(b), and http://b\u00fccher.example/?q=1.',
  ]
  for (const text of texts) await bob.send('ann', text)
  await ann.open('bob')
  await ann.sees('see ')

  t.deepEqual((await ann.texts()).slice(0, 3), texts.slice(0, 3))
  t.is(await ann.page.evaluate('globalThis.harmed'), undefined)
  t.is(await ann.page.locator('.messages img[src="x"], .messages script').count(), 0)
  const links = ann.page.locator('.text a')
  t.deepEqual(await links.evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href)), [
    'http://exa/',
    'https://example.com/a_(b)',
    'http://xn--bcher-kva.example/?q=1',
  ])
  // What a look-alike host really is.
  t.is(await links.nth(2).textContent(), 'http://xn--bcher-kva.example/?q=1')
  t.is(await links.nth(1).getAttribute('rel'), 'noopener noreferrer nofollow')
})

testInBrowser('long lines, stacks of marks and wild styles keep inside their message', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', `a${'\u0301'.repeat(2000)}`)
  await bob.send('ann', 'x'.repeat(16_000))
  const style = { font: 'url(//evil.example/f)', fontSize: 255, color: 'url(//evil.example)' }
  await bob.send('ann', 'wild', { style })
  await bob.send('ann', 'pale', { style: { color: '#fefefe', font: 'SimSun', fontSize: 14 } })
  await ann.open('bob')
  await ann.sees('pale')

  const sideways = await ann.page.evaluate(
    `[document.documentElement, document.querySelector('.messages')].map((e) => e.scrollWidth - e.clientWidth)`,
  )
  t.deepEqual(sideways, [0, 0])
  const marks = await ann
    .messages(/^a\u0301/)
    .locator('.text')
    .boundingBox()
  t.true((marks?.height ?? Infinity) < 60)
  t.is(await ann.messages('wild').locator('.text').getAttribute('style'), 'font-size: 32pt;')
  const pale = await ann.messages('pale').locator('.text').getAttribute('style')
  t.regex(pale ?? '', /font-family: SimSun.*font-size: 14pt/)
  // Darkened until it can be read on white.
  const [, grey] = /color: rgb\((\d+)/.exec(pale ?? '') ?? []
  t.true(Number(grey) < 120, pale ?? '')
})

testInBrowser('names that look alike are told apart by the user name', async (t) => {
  const { server, person } = await openStage(t)
  const connect = async (user: string, nickname: string) => {
    const client = await server.connect()
    await client.register(user, 'pass', { nickname })
    await client.login(user, { password: 'pass' })
    return client
  }
  const [bob, fake] = [await connect('bob', 'Bob'), await connect('b0b', '\u0412\u043eb')]
  const ann = await person('ann')
  await bob.send('ann', 'it is me')
  await fake.send('ann', 'no, me')
  await ann.contact('@b0b').waitFor()
  await ann.contact('@bob').waitFor()
  const names = await ann.contacts.locator('.contact .name').allTextContents()
  t.deepEqual(names.sort(), ['Bob', '\u0412\u043eb'])
})
