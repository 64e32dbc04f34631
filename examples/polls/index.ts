import { definePlugin, Refused } from 'chatctl'
import { z } from 'zod'
import * as messages from './messages.ts'

const { ClosePoll, CreatePoll, PollClosed, PollCreated, Vote } = messages

/** New message types with tables of their own: load it with `chatctl serve --plugin ./examples/polls/index.ts`. */
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
    '0002_votes': {
      up: (db) =>
        db.schema.createTable('poll_vote', (table) => {
          table.integer('poll_id').unsigned().notNullable()
          table.string('voter', 64).notNullable()
          table.string('choice', 40).notNullable()
          table.primary(['poll_id', 'voter'])
        }),
      down: (db) => db.schema.dropTable('poll_vote'),
    },
  },
  setup(app, { db, options }) {
    const open = async (id: number) => {
      const poll = await db('poll').where({ id }).first()
      if (poll === undefined) throw new Refused('polls.not_open', 'there is no such poll, or it is closed')
      return poll
    }

    app.handle(CreatePoll, async (session, { question }) => {
      const [row] = await db('poll').count({ open: '*' })
      if (Number(row?.open) >= options.maxOpen) throw new Refused('polls.too_many', 'there are enough polls')
      const [poll = 0] = await db('poll').insert({ asked_by: session.user.name, question })
      const created = { poll, by: session.user.name, question }
      app.users.sendToAll(PollCreated, created, { except: session })
      return created
    })

    app.handle(Vote, async ({ user }, { poll, choice, voter }) => {
      if (voter !== '' && user.role !== 'bot') throw new Refused('polls.own_vote', 'everyone votes for themselves')
      await open(poll)
      const vote = { poll_id: poll, voter: voter || user.name, choice }
      await db('poll_vote').insert(vote).onConflict(['poll_id', 'voter']).merge()
    })

    app.handle(ClosePoll, async (session, { poll }) => {
      const { asked_by, question } = await open(poll)
      if (asked_by !== session.user.name) throw new Refused('polls.not_yours', `only ${asked_by} may close it`)
      const rows = await db.transaction(async (trx) => {
        const votes = trx('poll_vote').where({ poll_id: poll })
        const counted = await votes.clone().groupBy('choice').select('choice', trx.raw('count(*) as votes'))
        await votes.delete()
        await trx('poll').where({ id: poll }).delete()
        return counted
      })
      const result = rows
        .map(({ choice, votes }) => ({ choice: String(choice), votes: Number(votes) }))
        .sort((one, other) => other.votes - one.votes || one.choice.localeCompare(other.choice))
      const closed = { poll, question, result }
      app.users.sendToAll(PollClosed, closed, { except: session })
      return closed
    })
  },
})
