import test from 'ava'
import { type MessageRow, MSG_TYPE } from '../../db/index.ts'
import { ForeignMessages, type ForeignMessagesParts } from '../../plugins/messages/foreign-messages.ts'

test('a page of messages takes one query for accounts, of those whom a session here concerns', async (t) => {
  const queries: number[][] = []
  const online = new Set([1, 2])
  const foreign = new ForeignMessages({
    accounts: { byIds: async (ids: Iterable<number>) => void queries.push([...ids]) },
    deliveries: { hasAny: (id: number) => online.has(id) },
  } as unknown as ForeignMessagesParts)
  const row = (user_id: number, target_id: number, msg_type: number = MSG_TYPE.chat) =>
    ({ user_id, target_id, msg_type }) as MessageRow
  await foreign.prepare([row(7, 1), row(8, 2), row(7, 1), row(1, 9), row(5, 6), row(4, 1, MSG_TYPE.group)])
  t.deepEqual(queries, [[7, 1, 8, 2, 9, 4]])
  await foreign.prepare([row(5, 6)])
  t.is(queries.length, 1)
})
