import { connect } from 'chatctl/client'

/** Answers everyone with their own words. Usage: node echo-bot.js HOST:PORT NAME, password in ECHO_PASSWORD. */
const [server = '127.0.0.1:7300', name = 'echo'] = process.argv.slice(2)
await using bot = await connect({ server })
await bot.login(name, { password: process.env.ECHO_PASSWORD ?? '' })
for await (const { from, text } of bot.messages()) await bot.send(from, text)
