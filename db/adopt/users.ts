import { flag, type Step } from './context.ts'
import type { Finding } from './ledger.ts'
import { faultOf, substitute } from './names.ts'
import type { OriginalRows } from './original.ts'

/** A valid password of the original: an MD5 digest in lower-case hex. */
const DIGEST = /^[0-9a-f]{32}$/
/** Stored as verifier of an account that cannot log in. */
const UNUSABLE = 'unusable'
const MAX_NICKNAME_CHARS = 255
/** Sender of the server's own messages: a user of that name would make them impossible to acknowledge. */
const RESERVED = 'system'

type User = OriginalRows['userinfo'] & { readonly wrapped: string }

/** Accounts with wrapped passwords. Small pages: wrapping one password takes as long as copying a thousand rows. */
export const users: Step<User> = {
  name: 'userinfo',
  pageSize: 16,
  count: ({ original }) => original.count('userinfo'),

  async read({ original, wrapPassword }, after, limit) {
    const rows = await original.page('userinfo', after, limit)
    return Promise.all(
      rows.map(async (row) => ({
        ...row,
        wrapped: DIGEST.test(row.password) ? await wrapPassword(row.password) : UNUSABLE,
      })),
    )
  },

  async write({ original, isLine }, trx, rows) {
    const findings: Finding[] = []
    for (const row of rows) {
      const tell = (outcome: Finding['outcome'], reason: string, detail = '') =>
        findings.push({ table: 'userinfo', id: row.id, outcome, reason, detail })
      const isTaken = async (name: string) =>
        (await trx('userinfo').where({ username: name }).first('id')) !== undefined
      if (row.id <= 0) {
        tell('refused', 'its number is not above 0', row.username)
        continue
      }
      const isReserved = row.username.toLowerCase() === RESERVED
      const fault =
        faultOf(row.username, isLine) ??
        (isReserved ? 'it is the server’s own' : undefined) ??
        ((await isTaken(row.username)) ? 'it is taken' : undefined)
      let username = row.username
      if (fault !== undefined) {
        username = substitute(row.username, row.id, isLine)
        while ((await isTaken(username)) || (await original.hasUser(username))) username += '-'
        tell('changed', `another name: ${fault}`, `${row.username} -> ${username}`)
      }
      if (row.wrapped === UNUSABLE) tell('changed', 'no password: what was stored is not the original’s hash', username)
      if (row.time === 0) tell('noted', 'no time is known, 1970 was taken')
      const nickname = [...row.nickname].slice(0, MAX_NICKNAME_CHARS).join('')
      await trx('userinfo').insert({
        id: row.id,
        username,
        password: row.wrapped,
        nickname,
        reg_time: row.time,
        isActive: flag(row.isActive),
      })
    }
    return findings
  },
}
