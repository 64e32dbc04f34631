import test from 'ava'
import type { Client } from '../../client/index.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { storedFor } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'
import { openProxy } from '../support/wire/proxy.ts'

const NAMES = ['alice', 'carol', 'dave', 'eve']
const WINDOW = 8

interface Answer {
  readonly id: number
  readonly sentAt: Date
  readonly repeat: boolean
}

test('while replies are lost and connections break, each message of four senders is stored once, and resending it returns the same id', async (t) => {
  const each = times(250, 2500)
  t.timeout(times(5, 30) * MINUTES)
  const random = seeded(t)
  const server = await startServerProcess(t)
  await server.user('bob')
  let cuts = 0
  const proxy = await openProxy(t, server, {
    keep: false,
    loses: (from) => {
      // Passes most chunks, so that a client can log in at all.
      if (from === 'client' || random() > 0.15) return false
      cuts++
      return true
    },
  })
  const answers = new Map<string, Answer>()
  const clients = new Map<string, Client>()
  for (const name of NAMES) {
    await (await server.user(name)).close()
    const client = await lucky(() => server.user(name, { server: proxy.address, reconnect: true }))
    clients.set(name, client)
  }
  await Promise.all(
    [...clients].map(async ([name, client]) => {
      let last = 0
      const one = async () => {
        while (last < each) {
          const text = `${name} ${++last}`
          answers.set(text, await client.send('bob', text, { clientId: text, timeout: 5 * MINUTES }))
        }
      }
      await Promise.all(Array.from({ length: WINDOW }, one))
    }),
  )
  const stored = await storedFor(await server.user('bob'))
  const repeats = [...answers.values()].filter(({ repeat }) => repeat).length
  t.log(line({ sent: answers.size, stored: stored.length, 'links cut': cuts, 'acknowledgements lost': repeats }))
  t.is(stored.length, NAMES.length * each)
  t.deepEqual(
    Object.fromEntries(stored.map(({ id, text }) => [text, id])),
    Object.fromEntries([...answers].map(([text, { id }]) => [text, id])),
  )
  // Otherwise the connection was not lossy enough.
  t.true(cuts > 0 && repeats > 0)
  for (const name of NAMES) {
    const again = await server.user(name)
    for (let n = 1; n <= each; n++) {
      const text = `${name} ${n}`
      const { id, sentAt } = answers.get(text) as Answer
      t.deepEqual(await again.send('bob', text, { clientId: text }), { id, sentAt, repeat: true })
    }
    await again.close()
  }
  t.is((await storedFor(await server.user('bob'))).length, stored.length)
})

/** Retries over the lossy connection until it succeeds. */
async function lucky<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!['lost', 'unreachable'].includes((error as { code?: string }).code ?? '')) throw error
    }
  }
}
