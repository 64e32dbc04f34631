import type { User, UserSession, ValuesOf } from '../../core/index.ts'
import { type FileFacts, MSG_TYPE, NO_FILE } from '../../db/index.ts'
import { type Account, existing } from '../accounts/index.ts'
import { Attachments } from './attachments.ts'
import { privateAudience } from './audience.ts'
import { exchangeOf } from './loops.ts'
import { SendMessage } from './messages.ts'
import type { Parts } from './parts.ts'
import { Replies } from './replies.ts'

export function handleSending({ app, db, accounts, conversations, names }: Parts) {
  const replies = new Replies({ db, conversations })
  const attachments = new Attachments({ db, conversations })

  const hopsOf = (user: User, to: Account, claimed: number) =>
    conversations.isQuiet(user, claimed) ? 0 : conversations.hops(exchangeOf(user, to), user, claimed)

  const post = (
    session: UserSession,
    to: Account,
    message: ValuesOf<typeof SendMessage>,
    file: FileFacts,
    checkedUpTo: number,
  ) => {
    const { user } = session
    return conversations.post(
      {
        senderId: user.id,
        kind: MSG_TYPE.chat,
        content: message,
        replyTo: message.replyTo,
        file,
        clientId: message.clientId,
        hops: hopsOf(user, to, message.hops),
        checkedUpTo,
      },
      privateAudience(user, to, session),
    )
  }

  /** Posts a reply, or a message with a file, in the order of the look-ups. */
  const postWithReferences = async (session: UserSession, message: ValuesOf<typeof SendMessage>) => {
    const { to, replyTo, clientId } = message
    const { checkedUpTo } = conversations
    const find = async () => {
      const account = enabled(await accounts.find(to), to)
      if (replyTo !== 0) await replies.check(session, { targetId: account.id, isGroup: false, replyTo, clientId })
      return { account, attached: await attachments.take(session, message) }
    }
    const { account, attached } = await names.find(session, find)
    const { text, file, release } = attached
    return post(session, account, { ...message, text }, file, checkedUpTo).finally(release)
  }

  app.handle(
    SendMessage,
    (session, message) => {
      conversations.checkContent(message)
      if (message.replyTo !== 0 || message.file !== 0) return postWithReferences(session, message)
      const { checkedUpTo } = conversations
      const to = names.find(session, () => accounts.find(message.to))
      // Synchronous if the recipient is cached, so that all messages of one turn reach one commit.
      return to instanceof Promise
        ? to.then((account) => post(session, enabled(account, message.to), message, NO_FILE, checkedUpTo))
        : post(session, enabled(to, message.to), message, NO_FILE, checkedUpTo)
    },
    { pipelined: true },
  )
}

/** A disabled account gets no messages, and is refused exactly like a name without an account. */
const enabled = (account: Account | undefined, name: string) => existing(account?.active ? account : undefined, name)
