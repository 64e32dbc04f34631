import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

/** A text that goes on when it is told to. */
function dictated() {
  const parts: string[] = []
  let wake = () => {}
  let isOver = false
  async function* text() {
    for (;;) {
      const part = parts.shift()
      if (part !== undefined) yield part
      else if (isOver) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }
  const say = (part: string) => {
    parts.push(part)
    wake()
  }
  const end = () => {
    isOver = true
    wake()
  }
  return { text: text(), say, end }
}

testInBrowser('a text grows as it is written, and is announced once, when it is complete', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  await ann.openUser('bob')
  await ann.page.evaluate(`(() => {
    globalThis.spoken = []
    const live = document.querySelector('[aria-live]')
    const note = () => live.textContent !== '' && spoken.push(live.textContent)
    new MutationObserver(note).observe(live, { childList: true, characterData: true, subtree: true })
  })()`)
  const { text, say, end } = dictated()
  const stored = bob.stream('ann', text)
  const row = ann.page.locator('.unsent')
  say('Once upon ')
  await row.getByText('Once upon').waitFor()
  say('a time')
  await row.getByText('Once upon a time').waitFor()
  t.is(await row.getAttribute('aria-busy'), 'true')
  t.is(await ann.messages().count(), 0)
  end()
  await ann.sees('Once upon a time')
  await row.waitFor({ state: 'detached' })
  await stored
  await bob.send('ann', 'The end')
  await ann.sees('The end')
  t.deepEqual(await ann.texts(), ['Once upon a time', 'The end'])
  t.deepEqual(await ann.page.evaluate('spoken'), ['bob: Once upon a time', 'bob: The end'])
})

testInBrowser('a server without streams and files has a page all the same', async (t) => {
  const { server, person } = await openStage(t, { without: ['streams', 'files'] })
  const bob = await server.user('bob')
  const ann = await person('ann')
  await bob.send('ann', 'hello')
  await ann.open('bob')
  await ann.sees('hello')
  await ann.say('hello Bob')
  await ann.sees('hello Bob')
  t.is(await ann.page.getByRole('alert').filter({ hasText: /./ }).count(), 0)
})
