import test from 'ava'
import {
  BlockUser,
  CreateRoom,
  DeclineInvitation,
  DissolveRoom,
  InviteToRoom,
  JoinRoom,
  KickFromRoom,
  QueryInvitations,
  RenameRoom,
  RoomInvitation,
} from '../../client/index.ts'
import { testServer } from '../../testing/index.ts'

test('invitations are listed newest first while they are pending, and declined without a notice', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const [first, second] = [server.app.clock.time(), server.app.clock.time() + 5000]
  const list = async () => (await bob.request(QueryInvitations, {})).invitations
  const invite = async (group: string) => {
    await alice.request(CreateRoom, { group, open: false })
    await alice.request(InviteToRoom, { group, user: 'bob' })
  }
  t.deepEqual(await list(), [])
  await invite('one')
  await server.clock.advance(5000)
  for (const group of ['two', 'three', 'four']) await invite(group)
  t.deepEqual(await list(), [
    { group: 'four', by: 'alice', invitedAt: second },
    { group: 'three', by: 'alice', invitedAt: second },
    { group: 'two', by: 'alice', invitedAt: second },
    { group: 'one', by: 'alice', invitedAt: first },
  ])
  t.deepEqual((await alice.request(QueryInvitations, {})).invitations, [])

  await bob.request(DeclineInvitation, { group: 'one' })
  await bob.request(JoinRoom, { group: 'two' })
  await alice.request(DissolveRoom, { group: 'three' })
  await alice.request(RenameRoom, { group: 'four', name: 'for you' })
  t.deepEqual(
    (await list()).map(({ group }) => group),
    ['for you'],
  )
  const decline = (group: string) => bob.refused(bob.request(DeclineInvitation, { group }))
  t.is(await decline('one'), 'not_invited', 'he may know that the group exists')
  t.is(await decline('two'), 'not_invited', 'he is a member')
  t.is(await decline('three'), 'group_not_exist')
  t.is(await bob.refused(bob.request(JoinRoom, { group: 'one' })), 'not_invited')
  await bob.request(BlockUser, { user: 'alice' })
  t.deepEqual(await list(), [])
})

test('an invitation can be sent again after it was declined, and a ban outlasts it', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  for (const user of [alice, bob]) await user.joins('ops')
  const invite = () => alice.request(InviteToRoom, { group: 'ops', user: 'bob' })
  await alice.request(KickFromRoom, { group: 'ops', user: 'bob' })
  await invite()
  await bob.request(DeclineInvitation, { group: 'ops' })
  t.is(await bob.refused(bob.request(JoinRoom, { group: 'ops' })), 'not_invited')
  const invited = bob.next(RoomInvitation)
  await invite()
  t.like(await invited, { group: 'ops', by: 'alice' })
  await bob.request(JoinRoom, { group: 'ops' })
})
