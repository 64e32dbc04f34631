import { createBot } from 'chatctl/bot'
import { z } from 'zod'
import * as polls from './polls/messages.ts'

const { ClosePoll, CreatePoll, PollCreated, Vote } = polls
const number = z.coerce.number().int().min(1).describe('number of the poll')

/** Polls in chats, for the plugin in `polls/`. The group `polls`, which has to be there, is told of what others ask. */
export default createBot({ name: 'polls', messages: polls, groups: ['polls'] })
  .command('poll', { about: 'Opens a poll', args: { question: z.array(z.string()).min(1) } }, async (ctx, args) => {
    const { poll, question } = await ctx.request(CreatePoll, { question: args.question.join(' ') })
    await ctx.reply(`Poll ${poll} is open: ${question}`)
  })
  .command('vote', { about: 'Votes', args: { poll: number, choice: z.string().max(40) } }, async (ctx, args) => {
    await ctx.request(Vote, { ...args, voter: ctx.from })
    await ctx.reply(`${ctx.from} voted ${args.choice}.`)
  })
  .command('close', { about: 'Closes a poll', args: { poll: number } }, async (ctx, args) => {
    const { question, result } = await ctx.request(ClosePoll, args)
    await ctx.reply([question, ...result.map(({ choice, votes }) => `${votes} × ${choice}`)].join('\n'))
  })
  .on(PollCreated, ({ by, question, poll }, ctx) => ctx.send({ group: 'polls' }, `${by} asks: ${question} (${poll})`))
