import type { Person } from '../support/browser/person.ts'
import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

/** Chooses an action from the menu of a message. */
async function act(person: Person, text: string, action: string) {
  await person.messages(text).hover()
  await person.press('Message actions', person.messages(text))
  await person.page.getByRole('menuitem', { name: action, exact: true }).click()
}

testInBrowser('Ann answers a message of Bob; the answer shows it, and leads to it', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const { id } = await bob.send('ann', 'tea or coffee?')
  await ann.open('bob')
  await ann.sees('tea or coffee?')
  await act(ann, 'tea or coffee?', 'Reply')
  await ann.page.getByText('Reply to bob').waitFor()
  await ann.say('tea')
  await ann.messages('tea').filter({ hasText: 'bob: tea or coffee?' }).waitFor()
  t.is((await bob.history('ann')).messages.at(-1)?.replyTo, id)
  t.is(await ann.page.getByText('Reply to bob').count(), 0)

  await bob.send('ann', 'with milk?', { replyTo: id })
  const answer = ann.messages('with milk?')
  await answer.getByRole('button', { name: 'bob: tea or coffee?' }).click()
  await ann.page.locator('.is-target', { hasText: 'tea or coffee?' }).waitFor()
})

testInBrowser('an edited message has its new text for both, and says that it was edited', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const { id } = await bob.send('ann', 'at nine')
  await ann.open('bob')
  await ann.sees('at nine')
  await bob.edit(id, 'at ten')
  await ann.messages('at ten').getByText('edited').waitFor()

  await ann.say('fnie')
  await ann.sees('fnie')
  await act(ann, 'fnie', 'Edit')
  await ann.page.getByText('Editing: fnie').waitFor()
  t.is(await ann.input.inputValue(), 'fnie')
  await ann.say('fine')
  await ann.messages('fine').getByText('edited').waitFor()
  t.deepEqual(
    (await bob.history('ann')).messages.map(({ text }) => text),
    ['at ten', 'fine'],
  )
})

testInBrowser('reactions are counted, and taken back by a second click', async (t) => {
  const { server, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const { id } = await bob.send('ann', 'we won')
  await bob.react(id, '🎉')
  await ann.open('bob')
  await ann.messages('we won').getByRole('button', { name: '🎉, 1 person' }).click()
  const both = ann.messages('we won').getByRole('button', { name: '🎉, 2 people' })
  await both.waitFor()
  t.is(await both.getAttribute('aria-pressed'), 'true')
  await act(ann, 'we won', '👍')
  await ann.messages('we won').getByRole('button', { name: '👍, 1 person' }).waitFor()
  await bob.react(id, '🎉', { remove: true })
  await ann.messages('we won').getByRole('button', { name: '🎉, 1 person' }).click()
  await ann.messages('we won').getByRole('button', { name: '🎉' }).waitFor({ state: 'detached' })
  t.deepEqual(
    (await bob.reactions([id])).map(({ emoji, count }) => [emoji, count]),
    [['👍', 1]],
  )
})

testInBrowser('edits and reactions from while the page was offline are shown after it', async (t) => {
  const { server, web, person } = await openStage(t)
  const bob = await server.user('bob')
  const ann = await person('ann')
  const { id } = await bob.send('ann', 'draft')
  await ann.open('bob')
  await ann.sees('draft')
  web.block(true)
  await ann.contacts.getByText('No connection').waitFor()
  await bob.edit(id, 'final')
  await bob.react(id, '👍')
  web.block(false)
  await ann.messages('final').getByRole('button', { name: '👍, 1 person' }).waitFor()
  t.deepEqual(await ann.texts(), ['final'])
})
