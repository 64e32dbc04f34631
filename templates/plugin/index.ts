import { definePlugin, Refused } from 'chatctl'
import { accounts } from 'chatctl/plugins'
import { z } from 'zod'
import * as messages from './messages.ts'

const { Thank, Thanked } = messages

/** What happens: users thank each other, and the server remembers how often. */
export default definePlugin({
  name: 'my-plugin',
  version: '0.1.0',
  api: '^1.0',
  messages,
  needs: { accounts },
  options: z.strictObject({
    /** Words that no reason may hold. */
    forbidden: z.array(z.string()).default([]),
  }),
  migrations: {
    '0001_init': {
      up: (db) =>
        db.schema.createTable('my_plugin_thanks', (table) => {
          table.increments('id')
          table.integer('user_id').notNullable().index()
          table.string('why', 200).notNullable()
        }),
      down: (db) => db.schema.dropTable('my_plugin_thanks'),
    },
  },
  setup(app, { options, needs, db, log }) {
    let thanks = 0

    // A rule: it may refuse, or amend by returning other values.
    app.before(Thank, (_session, { why }) => {
      if (options.forbidden.some((word) => why.includes(word)))
        throw new Refused('my-plugin.forbidden', 'say it in other words')
    })

    // The one handler of a message: what it returns is the reply.
    app.handle(Thank, async (session, { user, why }) => {
      // Refused as `user_not_exist` where there is none.
      const account = await needs.accounts.requireActive(user)
      await db('my_plugin_thanks').insert({ user_id: account.id, why })
      const [row] = await db('my_plugin_thanks').where({ user_id: account.id }).count({ times: '*' })
      const thanked = { by: session.user.name, user: account.name, why, times: Number(row?.times) }
      for (const other of app.sessions.of(account.id)) if (other !== session) other.send(Thanked, thanked)
      return thanked
    })

    // Told afterwards.
    app.on(Thank, (session, { user }) => {
      thanks++
      log.debug({ by: session.user.name, user }, 'thanked')
    })

    // In `chatctl status`, as my-plugin.thanks.
    app.status(() => ({ thanks }))
  },
})
