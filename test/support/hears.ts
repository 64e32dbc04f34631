import type { ChatMessage, Client } from '../../client/index.ts'

/** Receives a number of messages, acknowledging each. */
export async function hears(client: Client, count: number, options: { acknowledge?: boolean; from?: string } = {}) {
  const heard: ChatMessage[] = []
  for await (const message of client.messages(options)) {
    heard.push(message)
    if (heard.length === count) break
  }
  // Leaving the loop does not acknowledge the last message.
  const last = heard.at(-1)
  if (last !== undefined && options.acknowledge !== false) await client.acknowledge(last)
  return heard
}
