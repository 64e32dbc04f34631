import type { Address } from '../../client/channel.ts'
import {
  Acknowledge,
  ChatroomMessage,
  QueryHistory,
  QueryInbox,
  Receive,
  SearchMessages,
  SendMessage,
  Sync,
} from '../../client/index.ts'
import { QueryUsers } from '../../plugins/admin/messages.ts'
import { QueryContacts } from '../../plugins/contacts/messages.ts'
import { FriendList } from '../../plugins/friends/messages.ts'
import { AcknowledgeRoom, QueryRoomHistory, QueryRooms } from '../../plugins/groups/messages.ts'
import { LoadUser } from '../load/user.ts'
import { CORRESPONDENTS, groupOf, nameOf, RARE, type Seeded, USERS } from './seed.ts'

/** What is measured at each size, in this order: the last ones change the database. */
export interface Operation {
  readonly name: string
  /** @param nth 0, 1, 2, … */
  run(nth: number): Promise<unknown>
}

/** A user of the group whose members are the even multiples; not the one with the most conversations. */
const MEMBER_GROUP = groupOf(2)
const friend = (nth: number) => nameOf(2 + (nth % CORRESPONDENTS))

/**
 * The operations of a seeded server. `hub` has 2,000 conversations, `user` of a login ten; both listen to nothing.
 * @param rows messages in the database
 */
export async function operationsOn(address: Address, { hub, admin }: Seeded, rows: number, signal: AbortSignal) {
  const user = await LoadUser.login(address, hub, signal)
  const operator = await LoadUser.login(address, admin, signal)
  const login = async (account: Seeded['hub'], receives: boolean) => {
    const session = await LoadUser.login(address, account, signal)
    if (receives) await session.request(Receive, {})
    session.end()
  }
  const middle = Math.floor(rows / 2)
  const max = Number.MAX_SAFE_INTEGER
  const operations: Operation[] = [
    { name: 'login', run: (nth) => login({ ...hub, name: nameOf(3 + (nth % (USERS - 3))) }, false) },
    { name: 'login, receive', run: (nth) => login({ ...hub, name: nameOf(3 + (nth % (USERS - 3))) }, true) },
    { name: 'receive, 2,000 conversations', run: () => user.request(Receive, {}) },
    { name: 'inbox, unread', run: () => user.request(QueryInbox, { limit: 50 }) },
    {
      name: 'inbox, all from the middle',
      run: () => user.request(QueryInbox, { limit: 50, all: true, after: middle }),
    },
    { name: 'contact list', run: () => user.request(QueryContacts, {}) },
    { name: 'friend list', run: () => user.request(FriendList, {}) },
    { name: 'group list', run: () => user.request(QueryRooms, {}) },
    { name: 'history, newest', run: (nth) => user.request(QueryHistory, { with: friend(nth), limit: 50 }) },
    {
      name: 'history, middle',
      run: (nth) => user.request(QueryHistory, { with: friend(nth), limit: 50, before: middle }),
    },
    { name: 'group history, newest', run: () => user.request(QueryRoomHistory, { group: MEMBER_GROUP, limit: 50 }) },
    {
      name: 'group history, middle',
      run: () => user.request(QueryRoomHistory, { group: MEMBER_GROUP, limit: 50, before: middle }),
    },
    { name: 'sync, newest', run: () => user.request(Sync, { after: Math.max(0, rows - 500), limit: 50 }) },
    { name: 'search everything', run: () => user.request(SearchMessages, { text: RARE.word, limit: 20 }) },
    {
      name: 'search one conversation',
      run: (nth) => user.request(SearchMessages, { text: RARE.word, with: friend(nth), limit: 20 }),
    },
    { name: 'users, a page', run: () => operator.request(QueryUsers, {}) },
    {
      name: 'send',
      run: (nth) => user.request(SendMessage, { to: friend(nth), text: 'hello', clientId: `grown-${nth}` }),
    },
    {
      name: 'send to a group of 500',
      run: (nth) =>
        user.request(ChatroomMessage, { group: MEMBER_GROUP, text: 'hello', clientId: `grown-group-${nth}` }),
    },
    { name: 'acknowledge', run: (nth) => user.request(Acknowledge, { from: friend(nth), upTo: max }) },
    {
      name: 'acknowledge a group',
      run: (nth) => user.request(AcknowledgeRoom, { group: MEMBER_GROUP, upTo: Math.max(1, rows - 5000) + nth }),
    },
  ]
  return {
    operations,
    end() {
      user.end()
      operator.end()
    },
  }
}
