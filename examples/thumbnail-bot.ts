import { createBot } from 'chatctl/bot'

/**
 * Answers a picture with its thumbnail: `chatctl users create thumbnail --bot`, then `chatctl bot run thumbnail-bot.ts`.
 * The server has made it already, turned upright and without metadata.
 */
export default createBot({ name: 'thumbnail' }).message(async (ctx) => {
  const { file } = ctx
  if (file === undefined) return ctx.reply('Send me a picture.')
  if (!file.preview) return ctx.reply(`${file.name} is no picture that I can read.`)
  const name = `${file.name.replace(/\.[^.]*$/, '')}-small.webp`
  return ctx.replyFile(file.stream({ variant: 'preview' }), { name, text: `of ${file.name}`, quote: true })
})
