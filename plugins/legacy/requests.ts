import { Refused } from '../../core/index.ts'
import { AddFriend, ConfirmFriendRequest, DeleteFriend } from '../friends/messages.ts'
import { ChatroomMessage, CreateRoom, JoinRoom, LeaveRoom, QueryRoomUsers } from '../groups/messages.ts'
import { Logout } from '../login/messages.ts'
import { SendMessage } from '../messages/messages.ts'
import { encodeFrame, MAX_PLAIN_BYTES, roomFor } from './frame.ts'
import { fromOldName, toOldName } from './names.ts'
import type { OldSession } from './old-session.ts'
import { fitLists, fromOldText, userRow } from './text.ts'
import { FROM_CLIENT, TO_CLIENT } from './types.ts'

/** Longest name in the client's form, in which each byte may be escaped. */
const MAX_NAME_BYTES = 3 * 255

/** Translation of a request after the login. The user name that a client sends for itself is ignored. */
interface OldRequest {
  /** Fewest values. */
  readonly values: number
  run(session: OldSession, values: readonly string[]): Promise<void>
}

const request = (values: number, run: (session: OldSession, ...values: string[]) => Promise<void>): OldRequest => ({
  values,
  run: (session, given) => run(session, ...given),
})

export const REQUESTS: ReadonlyMap<number, OldRequest> = new Map([
  [FROM_CLIENT.lists, request(0, (session) => orRefused(session, session.listsRequested()))],

  [
    FROM_CLIENT.addFriend,
    request(1, async (session, named = '') => {
      try {
        await session.upstream.receive(AddFriend, { user: await userNamed(session, named) })
      } catch (error) {
        const code = error instanceof Refused ? error.code : ''
        // Looks to the client like its first request, which has no answer either.
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
        // The user has answered it in another session.
        if (!(error instanceof Refused && error.code === 'no_request')) session.refused(error)
      }
      // The changes that the answer caused are sent before the next question.
      await session.pushesTranslated()
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
        // The client displays its own message in a group only when it is echoed.
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
        // A member who joins again only misses the group on the list.
        if (error.code !== 'already_member') return session.dialog(TO_CLIENT.groupJoined, 'NG')
      }
      // On OK the client requests its lists.
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
      // Not the name of a group, and too long for the client to read an answer.
      if (Buffer.byteLength(room) > MAX_NAME_BYTES) return
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
      const [list = ''] = fitLists([rows], roomFor(before, MAX_PLAIN_BYTES))
      session.outbox.answer(encodeFrame(TO_CLIENT.groupMembers, ...before, list))
      // Only existing groups, since the session remembers their names.
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

/** The original accepts a name or an id here; a name of digits takes precedence over an id. */
async function userNamed({ accounts }: OldSession, typed: string): Promise<string> {
  const name = fromOldName(typed)
  if (!/^[0-9]{1,9}$/.test(name) || (await accounts.find(name)) !== undefined) return name
  return (await accounts.byIds([Number(name)])).get(Number(name))?.name ?? name
}
