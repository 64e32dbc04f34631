import type { User, UserSession, ValuesOf } from '../../core/index.ts'
import { MSG_TYPE } from '../../db/index.ts'
import { type Account, existing } from '../accounts/index.ts'
import { privateAudience } from './audience.ts'
import { SendMessage } from './messages.ts'
import type { Parts } from './parts.ts'
import { Replies } from './replies.ts'

export function handleSending({ app, db, accounts, conversations, names }: Parts) {
  const replies = new Replies({ db, conversations })

  const hopsOf = (user: User, to: Account, claimed: number) =>
    conversations.isQuiet(user, claimed) ? 0 : conversations.hops(exchangeOf(user, to), user, claimed)

  const post = (session: UserSession, to: Account, message: ValuesOf<typeof SendMessage>) => {
    const { user } = session
    return conversations.post(
      {
        senderId: user.id,
        kind: MSG_TYPE.chat,
        content: message,
        replyTo: message.replyTo,
        clientId: message.clientId,
        hops: hopsOf(user, to, message.hops),
      },
      privateAudience(user, to, session),
    )
  }

  /** The recipient of a reply, in the order of the look-ups. */
  const recipientOf = async (session: UserSession, { to, replyTo, clientId }: ValuesOf<typeof SendMessage>) => {
    const account = enabled(await accounts.find(to), to)
    await replies.check(session, { targetId: account.id, isGroup: false, replyTo, clientId })
    return account
  }

  app.handle(
    SendMessage,
    (session, message) => {
      conversations.checkText(message.text)
      if (message.replyTo !== 0)
        return Promise.resolve(names.find(session, () => recipientOf(session, message))).then((to) =>
          post(session, to, message),
        )
      const to = names.find(session, () => accounts.find(message.to))
      // Synchronous if the recipient is cached, so that all messages of one turn reach one commit.
      return to instanceof Promise
        ? to.then((account) => post(session, enabled(account, message.to), message))
        : post(session, enabled(to, message.to), message)
    },
    { pipelined: true },
  )
}

/** A disabled account gets no messages, and is refused exactly like a name without an account. */
const enabled = (account: Account | undefined, name: string) => existing(account?.active ? account : undefined, name)

/** The private conversation of two users, in either direction. */
export const exchangeOf = ({ id: one }: User, { id: other }: Account) => ({
  key: `users ${Math.min(one, other)} ${Math.max(one, other)}`,
  group: '',
})
