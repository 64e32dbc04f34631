import { Refused, type User, type UserSession } from '../../core/index.ts'
import type { Account } from '../accounts/index.ts'
import { SendMessage } from '../messages/messages.ts'
import type { Circle } from './circle.ts'
import { FAILURES } from './failures.ts'
import type { Parts } from './parts.ts'

/** After all rules that may amend the recipient: nothing asynchronous runs between this check and the commit. */
const LAST = 1000

/**
 * The check that refuses private messages from users whom the recipient has blocked and, with `messagesFrom` set to
 * `friends`, from users who are not friends. Operators are exempt.
 */
export function writeRule({ circles }: Parts, messagesFrom: 'anyone' | 'friends') {
  const mayWrite = (sender: User, recipient: Account, { friends, blocked }: Circle) => {
    if (blocked.has(sender.id)) throw new Refused(FAILURES.blocked)
    const mustBeFriend =
      messagesFrom === 'friends' && sender.role === 'user' && recipient.role !== 'bot' && sender.id !== recipient.id
    if (mustBeFriend && !friends.has(sender.id))
      throw new Refused(FAILURES.not_friends, 'only friends may write to this user')
  }

  return ({ user, isOperator }: UserSession, recipient: Account): void | Promise<void> => {
    if (!isOperator) return circles.check(user, recipient, (circle) => mayWrite(user, recipient, circle))
  }
}

/** Applies the rule to private messages. */
export function checkWriters({ app, accounts, conversations }: Parts, rule: ReturnType<typeof writeRule>) {
  app.before(
    SendMessage,
    (session, { to }) => {
      if (session.isOperator) return
      const recipient = accounts.find(to)
      // The handler refuses a recipient without an account.
      const check = (account: Account | undefined) => {
        if (account !== undefined) return rule(session, account)
      }
      return recipient instanceof Promise ? recipient.then(check) : check(recipient)
    },
    { order: LAST },
  )

  conversations.addWriteRule(async (session, recipientId) => {
    const recipient = (await accounts.byIds([recipientId])).get(recipientId)
    if (recipient !== undefined) await rule(session, recipient)
  })
}
