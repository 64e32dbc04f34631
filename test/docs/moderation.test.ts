import test from 'ava'
import { CreateRoom, JoinRoom } from '../../client/index.ts'
import moderation from '../../examples/moderation/index.ts'
import { testServer } from '../../testing/index.ts'

const withWords = (options: object) => testServer({ plugins: [moderation], pluginOptions: { moderation: options } })

test('Ann is refused with the forbidden word, in private and in a group; other texts pass', async (t) => {
  await using server = await withWords({ words: ['Broccoli', 'straße'] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  t.is(await ann.refused(ann.says('bob', 'have some BROCCOLI, bob')), 'moderation.word')
  t.is(await ann.refused(ann.says('bob', 'ｂｒｏｃｃｏｌｉ')), 'moderation.word')
  await ann.request(CreateRoom, { group: 'kitchen' })
  await bob.request(JoinRoom, { group: 'kitchen' })
  const error = await t.throwsAsync(bob.says({ group: 'kitchen' }, 'Straße!'), { name: 'RefusedByServer' })
  t.is(error?.message, 'please say it without "Straße"')
  await ann.says('bob', 'broccolini are fine, and so is *')
  await bob.hears('broccolini are fine, and so is *')
  await bob.hearsNothing()
  t.like(server.status(), { 'moderation.refused': 3, 'moderation.masked': 0 })
})

test('forbidden words are replaced by stars, letter by letter', async (t) => {
  await using server = await withWords({ words: ['broccoli', '西兰花'], action: 'mask' })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await ann.says('bob', 'Broccoli and 西兰花\nand BROCCOLI')
  await bob.hears('******** and ***\nand ********')
  t.like(server.status(), { 'moderation.masked': 1 })
})

test('a forbidden word does not come in by an edit', async (t) => {
  await using server = await withWords({ words: ['broccoli'] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const { id } = await ann.says('bob', 'carrots')
  t.is(await ann.refused(ann.client.edit(id, 'broccoli')), 'moderation.word')
  await ann.client.edit(id, 'peas')
  t.is((await bob.client.inbox()).messages[0]?.text, 'peas')
})

test('invalid options are refused at start', async (t) => {
  await t.throwsAsync(withWords({ words: [''] }), { message: /options\.moderation\.words\.0/ })
  await t.throwsAsync(withWords({ action: 'ban' }), { message: /options\.moderation\.action/ })
})
