import type { ExecutionContext } from 'ava'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import type { OpenServerOptions } from '../../../cli/server/assembly.ts'
import type { Client } from '../../../client/index.ts'
import { AddFriend, ConfirmFriendRequest } from '../../../client/index.ts'
import { launchBrowser } from '../browser.ts'
import { type LocalServer, startLocalServer } from '../server.ts'
import { Person } from './person.ts'
import { serveWeb, type WebServer } from './web-page.ts'

/** Browsers accept no fewer at the first login. */
const ITERATIONS = 600_000

export interface Stage {
  readonly server: LocalServer
  readonly web: WebServer
  readonly browser: Browser
  /** Somebody with the page open, not logged in. */
  visitor(name: string, options?: BrowserContextOptions): Promise<Person>
  /** Somebody who has registered in the page. */
  person(name: string, options?: BrowserContextOptions): Promise<Person>
}

/** A server with its page, and a browser. */
export async function openStage(t: ExecutionContext, options: Partial<OpenServerOptions> = {}): Promise<Stage> {
  const server = await startLocalServer(t, {
    ...options,
    pluginOptions: { registration: { iterations: ITERATIONS, minPassword: 1 }, ...options.pluginOptions },
  })
  const web = await serveWeb(t, server.server)
  const browser = await launchBrowser(t)
  const visitor = (name: string, how?: BrowserContextOptions) => Person.visit(t, browser, web.url, name, how)
  const person = async (name: string, how?: BrowserContextOptions) => {
    const visiting = await visitor(name, how)
    await visiting.register()
    return visiting
  }
  return { server, web, browser, visitor, person }
}

/** Makes friends of two users of the client library. */
export async function befriend(one: Client, other: Client, names: readonly [string, string]) {
  await one.request(AddFriend, { user: names[1] })
  await other.request(ConfirmFriendRequest, { user: names[0], accept: true })
}
