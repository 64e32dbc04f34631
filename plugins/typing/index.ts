import { definePlugin, Refused, type UserSession } from '../../core/index.ts'
import { type Account, accounts, existing } from '../accounts/index.ts'
import { friends } from '../friends/index.ts'
import { groups } from '../groups/index.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { TypingRate } from './typing-rate.ts'

const { Typing, UserTyping } = messages

/** Typing notices: not stored, and pushed only to sessions that can take them now. */
export const typing = definePlugin({
  name: 'typing',
  messages,
  limits: LIMITS,
  needs: { accounts, friends, groups },
  setup(app, { needs: { accounts, friends, groups }, limits }) {
    const rate = new TypingRate(limits, app.clock)

    /** @throws Refused as a message to the user is */
    const recipient = async (session: UserSession, name: string): Promise<Account> => {
      const found = accounts.find(name)
      // A signal that reads the database costs as much as a request.
      if (found instanceof Promise) session.charge(1)
      const account = await found
      const to = existing(account?.active ? account : undefined, name)
      await friends.checkWriter(session, to)
      return to
    }

    /** Names of the writing user's recipients in a group, as they are now. @throws Refused as a group message is */
    const recipients = async ({ user }: UserSession, name: string) => (await groups.member(name, user)).memberIds

    app.handle(
      Typing,
      async (session, { to, group, state }) => {
        if ((to === '') === (group === '')) throw new Refused('invalid_value', 'set either `to` or `group`')
        const { user } = session
        if (!rate.take(user.id, group === '' ? `user ${to.toLowerCase()}` : `group ${group}`)) return
        const ids = group === '' ? [(await recipient(session, to)).id] : await recipients(session, group)
        await app.users.announce(ids, UserTyping, { from: user.name, group, state }, (id) => id !== user.id)
      },
      { rated: false },
    )
  },
})
