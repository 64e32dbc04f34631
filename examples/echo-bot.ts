import { createBot } from 'chatctl/bot'

/** Answers everyone with their own words: `chatctl users create echo --bot`, then `chatctl bot run echo-bot.ts`. */
export default createBot({ name: 'echo' })
  .hears(/^hello\b/i, (ctx) => ctx.reply(`Hello, ${ctx.from}!`))
  .message((ctx) => ctx.reply(ctx.text))
