import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { type Client, type MessageRef, OnNewMessage, type RefusedByServer } from '../../../client/index.ts'
import { startServerProcess } from '../processes/server-process.ts'
import { Ledger } from './ledger.ts'
import { storedFor } from './senders.ts'

const NAMES = ['alice', 'carol', 'dave', 'eve', 'frank', 'grace', 'heidi', 'ivan']
const WINDOW = 16
/** Pause between a refusal and the next attempt. */
const PAUSE_MS = 50

/** Messages of one sender; of all senders fewer than a session may have unacknowledged. */
const ACKNOWLEDGED_AT_ONCE = 8

/** A recipient who acknowledges everything. */
async function hearing(client: Client) {
  const pushed: number[] = []
  /** Messages by sender. */
  const counts = new Map<string, number>()
  let wanted = Number.POSITIVE_INFINITY
  let arrived = () => {}
  const acknowledge = async (message: MessageRef) => {
    for (;;)
      try {
        return await client.acknowledge(message)
      } catch (error) {
        if ((error as RefusedByServer).failure !== 'unavailable') throw error
        await sleep(PAUSE_MS)
      }
  }
  client.on(OnNewMessage, ({ messages }) => {
    for (const message of messages) {
      pushed.push(message.id)
      const count = (counts.get(message.from) ?? 0) + 1
      counts.set(message.from, count)
      if (count % ACKNOWLEDGED_AT_ONCE === 0) void acknowledge({ from: message.from, id: message.id })
    }
    if (pushed.length >= wanted) arrived()
  })
  await client.receive()
  return {
    pushed: async (count: number) => {
      wanted = count
      if (pushed.length < count)
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      return pushed
    },
  }
}

/** Eight users who send to a server on MariaDB without pause, and retry after refusals. @param url of its database */
export async function startTraffic(t: ExecutionContext, url: string) {
  const server = await startServerProcess(t, { env: { CHATCTL_DB: url } })
  const bob = await server.user('bob')
  const ledger = new Ledger()
  const recipient = await hearing(bob)
  const refusals: number[] = []
  let over = false
  const sendOn = async (name: string, client: Client) => {
    let last = 0
    const deliver = async (text: string) => {
      ledger.attempt(text)
      for (;;) {
        const asked = performance.now()
        try {
          const { id } = await client.send('bob', text, { clientId: text })
          return ledger.acknowledge(text, id)
        } catch (error) {
          if ((error as RefusedByServer).failure !== 'unavailable') throw error
          refusals.push(performance.now() - asked)
          await sleep(PAUSE_MS)
        }
      }
    }
    const one = async () => {
      while (!over) await deliver(`${name} ${++last}`)
    }
    await Promise.all(Array.from({ length: WINDOW }, one))
  }
  // Before the first trouble: a registration in the middle of it may be refused.
  const senders = await Promise.all(NAMES.map((name) => server.user(name)))
  const sending = Promise.all(NAMES.map((name, index) => sendOn(name, senders[index] as Client)))
  return {
    server,
    ledger,
    /** Resolves with the ids in the order in which they were pushed to the recipient, when there are so many. */
    pushed: recipient.pushed,
    /** Waits for some more acknowledgements; returns the duration in ms. */
    async goesOn(more: number) {
      const from = performance.now()
      await Promise.race([ledger.acknowledgements(ledger.acknowledged + more), sending])
      return performance.now() - from
    },
    /** Ends the sending once everything is acknowledged, and compares. */
    async settle() {
      over = true
      await sending
      ledger.find(await storedFor(bob))
      const figures = ledger.figures()
      return {
        ...figures,
        refusals: refusals.length,
        'longest until refused, ms': Math.round(Math.max(0, ...refusals)),
      }
    },
  }
}
