import type { ExecutionContext } from 'ava'
import type { ChatMessage, Client } from '../../client/index.ts'
import type { ServerMessage, ValuesOf } from '../../core/index.ts'

export const texts = (messages: readonly Pick<ChatMessage, 'text'>[]) => messages.map(({ text }) => text)

export const textsOf = (page: { readonly messages: readonly Pick<ChatMessage, 'text'>[] }) => texts(page.messages)

/** The name of the failure that a request is refused with. */
export async function refusal(t: ExecutionContext, request: Promise<unknown>): Promise<string> {
  const error = await t.throwsAsync(request, { name: 'RefusedByServer' })
  return (error as unknown as { failure: string }).failure
}

/** The next push of that type. */
export const nextPush = <M extends ServerMessage>(client: Client, message: M): Promise<ValuesOf<M>> =>
  new Promise((resolve) => {
    const off = client.on(message, (values) => {
      off()
      resolve(values)
    })
  })

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
