import test from 'ava'
import {
  AddFriend,
  ConfirmFriendRequest,
  ContactChanged,
  ProfileChanged,
  QueryContacts,
  QueryProfiles,
  SetProfile,
} from '../../client/index.ts'
import { type TestUser, testServer } from '../../testing/index.ts'
import { nextPush } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const AVATAR = '{"hair":"short","glasses":2}'

const profilesOf = async (user: TestUser, ...names: string[]) =>
  (await user.client.request(QueryProfiles, { users: names.map((name) => ({ user: name })) })).profiles

async function befriend(one: TestUser, other: TestUser) {
  await one.client.request(AddFriend, { user: other.name })
  await other.client.request(ConfirmFriendRequest, { user: one.name, accept: true })
}

test('Alice sets her profile, and everybody with an account may see it', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const unset = { nickname: 'alice', user: 'alice', avatar: '', about: '', changedAt: 0 }
  t.deepEqual(await profilesOf(bob, 'alice'), [unset])
  await alice.client.request(SetProfile, { avatar: AVATAR, about: '  on  call \u00a0until Friday ' })
  const changedAt = server.clock.time()
  t.deepEqual(await profilesOf(bob, 'ALICE'), [{ ...unset, avatar: AVATAR, about: 'on call until Friday', changedAt }])
  t.deepEqual(await profilesOf(alice), await profilesOf(bob, 'alice'), 'without users: the own one')
})

test('profiles come in the order of the request, without users that do not exist', async (t) => {
  await using server = await testServer()
  const [alice] = [await server.user('alice'), await server.user('bob')]
  const found = await profilesOf(alice, 'bob', 'nobody', 'system', 'alice', 'bob')
  t.deepEqual(
    found.map(({ user }) => user),
    ['bob', 'alice', 'bob'],
  )
})

test('a change ascends in time, also within one millisecond', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const times: number[] = []
  for (const about of ['one', 'two', '']) {
    await alice.client.request(SetProfile, { about })
    const [profile] = await profilesOf(alice)
    t.is(profile?.about, about)
    times.push(profile?.changedAt ?? 0)
  }
  const now = server.clock.time()
  t.deepEqual(times, [now, now + 1, now + 2])
})

test('friends and the other sessions of Alice hear of a change, strangers do not', async (t) => {
  await using server = await testServer()
  const [alice, phone, bob, carol] = [
    await server.user('alice'),
    await server.user('alice'),
    await server.user('bob'),
    await server.user('carol'),
  ]
  await befriend(alice, bob)
  carol.client.on(ProfileChanged, () => t.fail('no friend'))
  alice.client.on(ProfileChanged, () => t.fail('her reply is enough'))
  const heard = [phone, bob].map((user) => nextPush(user.client, ProfileChanged))
  await alice.client.request(SetProfile, { avatar: AVATAR })
  const [profile] = await profilesOf(alice)
  t.deepEqual(await Promise.all(heard), [profile, profile])
  await server.settled()
})

test('the contact list tells when a profile has changed, and so which ones to ask for', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await befriend(alice, bob)
  const { contacts } = await bob.client.request(QueryContacts, { watch: true })
  t.is(contacts[0]?.profileAt, 0)
  const changed = nextPush(bob.client, ContactChanged)
  await alice.client.request(SetProfile, { about: 'hi' })
  await server.settled()
  await server.clock.advance(200)
  const [profile] = await profilesOf(alice)
  t.like((await changed).contacts[0], { name: 'alice', profileAt: profile?.changedAt })
  t.is((await bob.client.request(QueryContacts, {})).contacts[0]?.profileAt, profile?.changedAt)
})

test('the avatar is a JSON object, and the text a line that can be seen', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const set = (values: { avatar?: string; about?: string }) => alice.client.request(SetProfile, values)
  for (const avatar of ['[]', '"x"', 'null', '{', '{"a":1}x', '<svg/>'])
    t.is(await alice.refused(set({ avatar })), 'invalid_value', avatar)
  for (const about of ['a'.repeat(201), `a${'\u0301'.repeat(6)}`, '\u2800', 'a\u200bb'])
    t.is(await alice.refused(set({ about })), 'invalid_value', JSON.stringify(about))
  await t.throwsAsync(set({ avatar: JSON.stringify({ a: 'x'.repeat(2041) }) }))
  await t.throwsAsync(set({ about: 'two\nlines' }))
  t.is((await profilesOf(alice))[0]?.changedAt, 0)
  await set({ avatar: JSON.stringify({ a: 'x'.repeat(2040) }), about: '长'.repeat(200) })
  const [profile] = await profilesOf(alice)
  t.deepEqual([profile?.avatar.length, profile?.about], [2048, '长'.repeat(200)])
})

test('a user may change the profile a limited number of times an hour', async (t) => {
  await using server = await testServer({ limits: { profileChanges: 2 } })
  const alice = await server.user('alice')
  const set = (about: string) => alice.client.request(SetProfile, { about })
  await set('one')
  await set('two')
  t.is(await alice.refused(set('three')), 'rate_limited')
  await server.clock.advance(1_800_000)
  await set('three')
  t.is((await profilesOf(alice))[0]?.about, 'three')
})

test('a profile is there after a restart', async (t) => {
  const server = await startLocalServer(t)
  await (await server.user('alice')).request(SetProfile, { avatar: AVATAR, about: '在线' })
  await server.close()
  const again = await startLocalServer(t, { data: server.data })
  const { profiles } = await (await again.user('alice')).request(QueryProfiles, { users: [] })
  t.like(profiles[0], { avatar: AVATAR, about: '在线' })
})
