import { type App, definePlugin } from 'chatctl'
import type { Client } from 'chatctl/client'
import { Thank, Thanked } from './messages.ts'

/** Compiled, never run: what has to be a type error is one, and what follows from the messages does. */

export const asked = async (client: Client): Promise<number> =>
  (await client.request(Thank, { user: 'bob', why: 'the coffee' })).times

// @ts-expect-error there is no such field
export const wrongField = (client: Client) => client.request(Thank, { whom: 'bob', why: 'the coffee' })

// @ts-expect-error only the server says that
export const wrongDirection = (client: Client) => client.request(Thanked, {})

export const wrongReply = (app: App) =>
  // @ts-expect-error the reply names who was thanked and how often
  app.handle(Thank, () => ({ times: 1 }))

// @ts-expect-error a plugin has a name
export const nameless = definePlugin({ setup() {} })
