import { definePlugin, Refused } from 'chatctl'
import { z } from 'zod'
import * as messages from './messages.ts'

const { CreatePoll, PollCreated } = messages

/** A new message type with a table of its own: load it with `chatctl serve --plugin ./examples/polls/index.ts`. */
export default definePlugin({
  name: 'polls',
  messages,
  options: z.strictObject({ maxOpen: z.number().int().default(100) }),
  migrations: {
    '0001_init': {
      up: (db) =>
        db.schema.createTable('poll', (table) => {
          table.increments('id')
          table.string('asked_by', 64).notNullable()
          table.string('question', 200).notNullable()
        }),
      down: (db) => db.schema.dropTable('poll'),
    },
  },
  setup(app, { db, options }) {
    app.handle(CreatePoll, async (session, { question }) => {
      const [row] = await db('poll').count({ open: '*' })
      if (Number(row?.open) >= options.maxOpen) throw new Refused('polls.too_many', 'there are enough polls')
      const [poll = 0] = await db('poll').insert({ asked_by: session.user.name, question })
      const created = { poll, by: session.user.name, question }
      for (const other of app.sessions) if (other !== session) other.send(PollCreated, created)
      return created
    })
  },
})
