import { createHash } from 'node:crypto'
import { definePlugin } from '../../core/index.ts'
import { MSG_TYPE, NO_FILE, plainContent, UNCHECKED } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { type Account, accounts, SYSTEM } from '../accounts/index.ts'
import { privateAudience } from '../messages/audience.ts'
import { privateMessages } from '../messages/index.ts'
import * as messages from './messages.ts'

/** Accounts per page, whose messages go to the writer together: as many as fit into one commit. */
const ACCOUNTS_PER_PAGE = 400

/** System messages of admins to all users, stored and acknowledged as private messages of the account `system`. */
export const system = definePlugin({
  name: 'system',
  messages,
  needs: { accounts, messages: privateMessages },
  setup(app, { needs }) {
    const conversations = needs.messages

    const post = (to: Account, text: string, clientId: string) =>
      conversations.post(
        {
          senderId: SYSTEM.id,
          kind: MSG_TYPE.system,
          content: plainContent(text),
          clientId,
          hops: 0,
          replyTo: 0,
          file: NO_FILE,
          checkedUpTo: UNCHECKED,
        },
        privateAudience(SYSTEM, to, undefined),
      )

    /** All enabled accounts, a page at a time. */
    async function* everyone(): AsyncGenerator<Account[]> {
      for (let after = 0; ; ) {
        const page = await needs.accounts.list(after, ACCOUNTS_PER_PAGE)
        const last = page.at(-1)
        if (last === undefined) return
        yield page.filter(({ active }) => active)
        after = last.id
      }
    }

    const only = async (name: string): Promise<[Account][]> => [[await needs.accounts.require(name, { active: true })]]

    app.handle(
      messages.Broadcast,
      async (session, { text, to, clientId }) => {
        conversations.checkText(text)
        const send = (account: Account) =>
          post(account, text, rowId(session.isOperator ? '' : (session.user?.name ?? '?'), clientId, account))
        const pages = to === '' ? everyone() : await only(to)
        let recipients = 0
        try {
          for await (const page of pages) {
            // The first one alone: a client id reused for another text is refused before anyone gets the message.
            const [first, ...rest] = page
            if (recipients === 0 && first !== undefined) await send(first)
            await Promise.all((recipients === 0 ? rest : page).map(send))
            recipients += page.length
          }
        } finally {
          // Also after a failure: stored messages are delivered. The failed page is not counted.
          app.audit.info({ event: 'broadcast', ...actor(session), ...(to !== '' && { to }), recipients })
        }
        return { recipients }
      },
      { serial: true },
    )
  },
})

/**
 * The client id of one recipient's row, the same for a repeated broadcast; empty if the broadcast has none. A hash: all
 * system messages have one sender in the database, and a client id has at most 64 characters.
 * @param sender name of the admin, whose client ids are its own; empty for the operator
 */
const rowId = (sender: string, clientId: string, { id }: Account): string =>
  clientId &&
  createHash('sha256')
    .update(JSON.stringify([sender, clientId, id]))
    .digest('base64url')
