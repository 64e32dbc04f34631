import { createBot } from 'chatctl/bot'
import { z } from 'zod'

const sides = z.coerce.number().int().min(2).max(1000).default(6)

/** What the bot hears and does. `npm run dev` starts it again when this file changes. */
export default createBot({ name: '{{name}}' })
  .command('roll', { about: 'Rolls a die', args: { sides } }, (ctx, args) =>
    ctx.reply(`You rolled ${1 + Math.floor(Math.random() * args.sides)}.`),
  )
  .command('order', { about: 'Takes an order' }, async (ctx) => {
    const drink = await ctx.ask('What would you like?', { options: ['tea', 'coffee'], timeout: 60_000 })
    await ctx.reply(drink === undefined ? 'Another time, then.' : `One ${drink.choice}, coming up.`)
  })
  .hears(/\bthanks\b/i, (ctx) => ctx.reply('Any time!'))
