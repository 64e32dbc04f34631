import { createBot } from 'chatctl/bot'
import { z } from 'zod'

/** Who is on call, in the order in which they are asked. */
const PEOPLE = ['ann', 'bob', 'carol']
const GROUP = 'ops'
const MINUTES = 60_000

/**
 * Looks for someone who takes an alarm: `/alarm TEXT` in the group asks the first one in private, the next one after
 * five minutes. Each Monday the next person is the first to be asked.
 */
export default createBot({
  name: 'on-call',
  groups: [GROUP],
  state: { in: 'server', initial: () => ({ alarms: [] as string[] }) },
})
  .command('alarm', { about: 'Finds someone', args: { what: z.array(z.string()).min(1) } }, async (ctx, args) => {
    const what = args.what.join(' ')
    await ctx.reply(`Looking for someone: ${what}`)
    for (const person of inTurn(ctx.message.sentAt)) {
      const question = `${what} (from ${ctx.from}). Do you take it?`
      const answer = await ctx.ask(question, { to: person, options: ['yes', 'no'], timeout: 5 * MINUTES })
      if (answer === undefined) await ctx.send(person, 'Too late, I ask the next one.')
      if (answer?.choice !== 'yes') continue
      ctx.state.alarms.push(`${what}: ${person}`)
      return ctx.reply(`${person} takes it: ${what}`)
    }
    ctx.state.alarms.push(`${what}: nobody`)
    return ctx.reply(`Nobody takes it: ${what}`)
  })
  .command('alarms', { about: 'Says who took the last ten' }, (ctx) =>
    ctx.reply(ctx.state.alarms.slice(-10).join('\n') || 'There were none.'),
  )
  .schedule('0 9 * * MON', (ctx) => ctx.send({ group: GROUP }, `This week: ${inTurn(ctx.time)[0]}`), {
    name: 'monday',
    timezone: 'UTC',
  })

/** The same people for the same time, so that a second run of the handler asks the same ones. */
function inTurn(time: Date): string[] {
  // The first Monday after 1970 began is the 5th of January.
  const week = Math.floor((time.getTime() / MINUTES / 60 / 24 - 4) / 7)
  const first = week % PEOPLE.length
  return [...PEOPLE.slice(first), ...PEOPLE.slice(0, first)]
}
