import { createHash } from 'node:crypto'
import { definePlugin, Refused } from '../../core/index.ts'
import { MSG_TYPE, plainContent } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { type Account, accounts, SYSTEM } from '../accounts/index.ts'
import { privateAudience } from '../messages/audience.ts'
import { privateMessages } from '../messages/index.ts'
import * as messages from './messages.ts'

/** Accounts read, and messages handed to the writer, at once: as many as it puts into one commit. */
const PAGE = 400

/** System messages: what admins say to everyone, kept and acknowledged as private messages of the account `system`. */
export const system = definePlugin({
  name: 'system',
  messages,
  needs: { accounts, messages: privateMessages },
  setup(app, { needs }) {
    const conversations = needs.messages

    const post = (to: Account, text: string, clientId: string) =>
      conversations.post(
        { senderId: SYSTEM.id, kind: MSG_TYPE.system, content: plainContent(text), clientId, hops: 0 },
        privateAudience(SYSTEM, to),
      )

    /** Every active account, a page at a time. */
    async function* everyone(): AsyncGenerator<Account[]> {
      for (let after = 0; ; ) {
        const page = await needs.accounts.list(after, PAGE)
        const last = page.at(-1)
        if (last === undefined) return
        yield page.filter(({ active }) => active)
        after = last.id
      }
    }

    const only = async (name: string): Promise<[Account][]> => {
      const account = await needs.accounts.find(name)
      if (!account?.active) throw new Refused(ACCOUNT_FAILURES.user_not_exist, `there is no user "${name}"`)
      return [[account]]
    }

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
            // The first one alone: a client id that was used for another text is refused before anyone gets this one.
            const [first, ...rest] = page
            if (recipients === 0 && first !== undefined) await send(first)
            await Promise.all((recipients === 0 ? rest : page).map(send))
            recipients += page.length
          }
        } finally {
          // Also where it stopped half-way: what was stored is delivered. The page that failed is not counted.
          app.audit.info({ event: 'broadcast', ...actor(session), ...(to !== '' && { to }), recipients })
        }
        return { recipients }
      },
      { serial: true },
    )
  },
})

/**
 * The client id of one recipient's row, the same each time the same broadcast is sent; empty (any) if it has none.
 * A hash, because all system messages have one sender in the database, and because a client id is at most 64 long.
 * @param sender name of the admin, which tells the client ids of different ones apart; empty for the operator
 */
const rowId = (sender: string, clientId: string, { id }: Account): string =>
  clientId &&
  createHash('sha256')
    .update(JSON.stringify([sender, clientId, id]))
    .digest('base64url')
