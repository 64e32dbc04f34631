import { appendFileSync } from 'node:fs'
import { env } from 'node:process'
import { createBot } from '../../../bot/index.ts'
import { CreateRoom } from '../../../client/index.ts'

const dieAt = (text: string) => {
  if (env.DIE_AT === text) process.kill(process.pid, 'SIGKILL')
}

/**
 * The bot that a test kills. Each run of its handler writes the event's id to `HANDLED_FILE`. `FLAW` is for controls:
 * `hasty` acknowledges before it handles, `keyless` sends without idempotency keys; these kill themselves at the worst
 * moment of the message `DIE_AT`.
 */
export default createBot({ name: 'worker' }).message(async (ctx) => {
  const { text, message, from } = ctx
  if (env.FLAW === 'hasty') {
    await ctx.client.acknowledgeEvent('worker', message.id)
    dieAt(text)
  }
  appendFileSync(env.HANDLED_FILE ?? '', `${message.id}\n`)
  if (env.FLAW === 'keyless') {
    await ctx.client.send(from, `seen ${text}`)
    dieAt(text)
  } else await ctx.reply(`seen ${text}`)
  if (text.endsWith('0')) await ctx.request(CreateRoom, { group: `made for ${text}` })
  await ctx.reply(`done ${text}`)
})
