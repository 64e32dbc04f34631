import { Refused, type UserSession, type ValuesOf } from '../../core/index.ts'
import { deleteFile, fileMessages, filesByIds, filesOf, fileUsage, findFile, groupsSeen } from '../../db/index.ts'
import { existing } from '../accounts/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import { MAX_LIST } from './fields.ts'
import { infoOf } from './file-info.ts'
import { DeleteFile, QueryFiles, QueryUsage } from './messages.ts'
import type { Parts } from './parts.ts'

export function handleQueries(parts: Parts) {
  const { app, db, limits, partFiles, uploads, changes } = parts

  app.handle(
    QueryFiles,
    (session, values) => {
      const { with: other, group } = values
      if (other !== '' && group !== '') throw new Refused('invalid_value', 'set `with` or `group`, not both')
      return other === '' && group === '' ? ownFiles(parts, session, values) : sharedFiles(parts, session, values)
    },
    { serial: true },
  )

  app.handle(QueryUsage, async ({ user }) => {
    const { files, bytes } = await fileUsage(db, user.id)
    return { files, bytes, quota: limits.fileQuota, maxSize: limits.fileSize }
  })

  app.handle(DeleteFile, ({ user }, { file: id }) =>
    changes.run(id, async () => {
      const row = await findFile(db, id)
      if (row === undefined || !(await deleteFile(db, id, user.id))) throw new Refused(MESSAGE_FAILURES.no_file)
      await uploads.close(id)
      await partFiles.remove(row.part)
    }),
  )
}

type Query = ValuesOf<typeof QueryFiles>

const pageSize = ({ conversations }: Parts, { limit }: Query) => Math.min(conversations.pageSize(limit), MAX_LIST)

async function ownFiles(parts: Parts, { user }: UserSession, query: Query) {
  const size = pageSize(parts, query)
  const rows = await filesOf(parts.db, user.id, query.before || Number.MAX_SAFE_INTEGER, size + 1)
  const page = rows.slice(0, size)
  const files = page.map((row) => ({ ...infoOf(row, user.id), message: 0, from: '', sentAt: 0 }))
  return { next: rows.length > size ? (page.at(-1)?.id ?? 0) : 0, files }
}

/** Files of messages that the user may read. */
async function sharedFiles(parts: Parts, { user }: UserSession, query: Query) {
  const { db, accounts } = parts
  const size = pageSize(parts, query)
  const place = await placeOf(parts, user, query)
  const { messages, next } = await fileMessages(db, place, query.before || Number.MAX_SAFE_INTEGER, size)
  const files = await filesByIds(
    db,
    messages.flatMap(({ file_id }) => file_id ?? []),
  )
  const senders = await accounts.byIds(messages.map(({ user_id }) => user_id))
  const found = messages.flatMap(({ id, user_id, file_id, send_time }) => {
    const row = files.get(file_id ?? 0)
    const from = senders.get(user_id)?.name ?? `#${user_id}`
    return row === undefined ? [] : [{ ...infoOf(row, user.id), message: id, from, sentAt: send_time }]
  })
  return { next, files: found }
}

/** @throws Refused `user_not_exist`, `group_not_exist`, `not_member` */
async function placeOf({ db, accounts, groups }: Parts, user: UserSession['user'], { with: other, group }: Query) {
  if (group === '') return { userId: user.id, otherId: existing(await accounts.find(other), other).id }
  const { id } = await groups.member(group, user)
  const [seen] = await groupsSeen(db, user.id, [id])
  if (seen === undefined) throw new Refused(GROUP_FAILURES.not_member)
  return { groupId: id, since: seen.since }
}
