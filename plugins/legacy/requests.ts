import { Refused } from '../../core/index.ts'
import { AddFriend, ConfirmFriendRequest, DeleteFriend } from '../friends/messages.ts'
import { ChatroomMessage, CreateRoom, JoinRoom, LeaveRoom, QueryRoomUsers } from '../groups/messages.ts'
import { Logout } from '../login/messages.ts'
import { SendMessage } from '../messages/messages.ts'
import { encodeFrame, MAX_PLAIN, roomFor } from './frame.ts'
import { fromOldName, toOldName } from './names.ts'
import type { OldSession } from './old-session.ts'
import { fitLists, fromOldText, userRow } from './text.ts'
import { FROM_CLIENT, TO_CLIENT } from './types.ts'

/** Bytes of a name at most, in the form that the client has of it. */
const MAX_NAME = 3 * 255

/** What the original's requests become, once logged in. The names that a client gives for itself are not used. */
interface OldRequest {
  /** Values it has at least. */
  readonly values: number
  run(session: OldSession, values: readonly string[]): Promise<void>
}

const request = (values: number, run: (session: OldSession, ...values: string[]) => Promise<void>): OldRequest => ({
  values,
  run: (session, given) => run(session, ...given),
})

export const REQUESTS: ReadonlyMap<number, OldRequest> = new Map([
  [FROM_CLIENT.lists, request(0, (session) => orRefused(session, session.asked()))],

  [
    FROM_CLIENT.addFriend,
    request(1, async (session, named = '') => {
      try {
        await session.upstream.receive(AddFriend, { user: await userNamed(session, named) })
      } catch (error) {
        const code = error instanceof Refused ? error.code : ''
        // Asked once more: to the client it looks as the first time, and there it got no answer.
        if (code === 'already_requested') return
        if (code === 'user_not_exist' || code === 'invalid_value') session.dialog(TO_CLIENT.noSuchUser, code)
        else session.refused(error)
      }
    }),
  ],

  [
    FROM_CLIENT.answerRequest,
    request(3, async (session, answer, _me, asker = '') => {
      try {
        await session.upstream.receive(ConfirmFriendRequest, { user: fromOldName(asker), accept: answer === 'OK' })
      } catch (error) {
        // Answered on another session meanwhile, which the user knows.
        if (!(error instanceof Refused && error.code === 'no_request')) session.refused(error)
      }
      // What the answer has changed goes before the next question, however long reading it takes.
      await session.told()
      session.outbox.answered()
    }),
  ],

  [
    FROM_CLIENT.deleteFriend,
    request(1, (session, friend = '') =>
      orRefused(session, session.upstream.receive(DeleteFriend, { user: fromOldName(friend) })),
    ),
  ],

  [
    FROM_CLIENT.message,
    request(4, async (session, _time, to = '', _me, typed = '') => {
      const text = fromOldText(typed)
      if (text !== '') await orRefused(session, session.upstream.receive(SendMessage, { to: fromOldName(to), text }))
    }),
  ],

  [
    FROM_CLIENT.groupMessage,
    request(4, async (session, _time, room = '', _me, typed = '') => {
      const [group, text] = [fromOldName(room), fromOldText(typed)]
      if (text === '') return
      try {
        const { id, sentAt } = await session.upstream.receive(ChatroomMessage, { group, text })
        // The client shows its own words in a group when they come back.
        session.sendGroupText({ group, from: session.userName, text, sentAt, id })
      } catch (error) {
        session.refused(error)
      }
    }),
  ],

  [
    FROM_CLIENT.joinGroup,
    request(1, async (session, room = '') => {
      const group = fromOldName(room)
      session.moving.add(group)
      try {
        await session.upstream.receive(JoinRoom, { group })
      } catch (error) {
        session.moving.delete(group)
        if (!(error instanceof Refused)) throw error
        // Who is a member already only wants to see it on the list.
        if (error.code !== 'already_member') return session.dialog(TO_CLIENT.groupJoined, 'NG')
      }
      // On OK the client asks for its lists by itself.
      session.outbox.answer(encodeFrame(TO_CLIENT.groupJoined, 'OK'))
    }),
  ],

  [
    FROM_CLIENT.createGroup,
    request(1, async (session, group = '') => {
      try {
        const created = await session.upstream.receive(CreateRoom, { group })
        session.outbox.answer(encodeFrame(TO_CLIENT.groupCreated, 'OK', toOldName(created.group)))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        session.dialog(TO_CLIENT.groupCreated, error.code === 'group_exists' ? 'EXIST' : 'NG', '')
      }
    }),
  ],

  [
    FROM_CLIENT.groupMembers,
    request(1, async (session, room = '') => {
      // No window has such a name, and the answer could not be read.
      if (Buffer.byteLength(room) > MAX_NAME) return
      const group = fromOldName(room)
      const members = await session.upstream.receive(QueryRoomUsers, { group }).then(
        (reply) => reply.members,
        (error) => {
          if (!(error instanceof Refused)) throw error
          return undefined
        },
      )
      const before = [room]
      const rows = { rows: (members ?? []).map(userRow), none: 'no more user' }
      const [list = ''] = fitLists([rows], roomFor(before, MAX_PLAIN))
      session.outbox.answer(encodeFrame(TO_CLIENT.groupMembers, ...before, list))
      // Only groups that there are: names are remembered.
      if (members !== undefined) session.opened(group)
    }),
  ],

  [
    FROM_CLIENT.leaveGroup,
    request(1, async (session, room = '') => {
      const group = fromOldName(room)
      session.moving.add(group)
      try {
        await session.upstream.receive(LeaveRoom, { group })
        session.outbox.answer(encodeFrame(TO_CLIENT.groupJoined, 'OK'))
      } catch (error) {
        session.moving.delete(group)
        if (!(error instanceof Refused)) throw error
        session.dialog(TO_CLIENT.groupJoined, 'NG')
      }
    }),
  ],

  [
    FROM_CLIENT.logout,
    request(0, async (session) => {
      await session.upstream.receive(Logout, {})
    }),
  ],
])

async function orRefused(session: OldSession, asked: Promise<unknown>) {
  try {
    await asked
  } catch (error) {
    session.refused(error)
  }
}

/** The original takes a name or a number here; where somebody has a number for a name, the name goes first. */
async function userNamed({ accounts }: OldSession, typed: string): Promise<string> {
  const name = fromOldName(typed)
  if (!/^[0-9]{1,9}$/.test(name) || (await accounts.find(name)) !== undefined) return name
  return (await accounts.byIds([Number(name)])).get(Number(name))?.name ?? name
}
