import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { Server } from '../../../core/index.ts'

/** A line between browsers and the HTTP listener of a server, which tests can cut. */
export interface WebLine {
  readonly url: string
  /** Sends new connections to this port of loopback. */
  leadTo(port: number): void
  /** Cuts the open WebSockets, as a bad line does. */
  cut(): void
  /** Cuts the WebSockets and refuses new ones, until it is called with false. The page itself is served. */
  block(isBlocked: boolean): void
  /** Nothing is reachable any more. */
  stop(): void
  /** Resolves when so many WebSockets are open: one that a page has given up may close late. */
  connected(count: number): Promise<void>
  /** Everything that browsers sent over WebSockets, as it came. */
  readonly sent: readonly Buffer[]
}

export interface WebServer extends WebLine {
  /** Sends new connections to the HTTP listener of this server, on the same address. */
  serve(server: Server): Promise<void>
}

/** A line to a server in the test's process. */
export async function serveWeb(t: ExecutionContext, first: Server): Promise<WebServer> {
  const portOf = async (server: Server) => (await server.listenHttp({ host: '127.0.0.1', port: 0 })).port
  const line = await openWebLine(t, await portOf(first))
  return { ...line, serve: async (server) => line.leadTo(await portOf(server)) }
}

/** A line to a port of loopback. */
export async function openWebLine(t: ExecutionContext, first: number): Promise<WebLine> {
  const links = new Set<Socket>()
  const chats = new Set<Socket>()
  const changed = new EventEmitter()
  const sent: Buffer[] = []
  let isBlocked = false
  let target = first
  const line = createServer({ noDelay: true }, (browser) => {
    links.add(browser)
    browser.on('close', () => links.delete(browser))
    // A link that the test cuts is an error of its socket.
    browser.on('error', () => browser.destroy())
    browser.once('data', (head: Buffer) => {
      const isChat = head.toString('latin1').startsWith('GET /chat')
      if (isChat && isBlocked) return browser.destroy()
      if (isChat) {
        chats.add(browser)
        changed.emit('change')
        browser.on('close', () => {
          chats.delete(browser)
          changed.emit('change')
        })
      }
      if (isChat) browser.on('data', (chunk: Buffer) => sent.push(chunk))
      forward(browser, head, target)
    })
  })
  line.listen(0, '127.0.0.1')
  await once(line, 'listening')
  const end = (sockets: Iterable<Socket>) => {
    for (const socket of sockets) socket.destroy()
  }
  const web: WebLine = {
    url: `http://127.0.0.1:${(line.address() as AddressInfo).port}/`,
    sent,
    leadTo: (port) => {
      target = port
    },
    cut: () => end(chats),
    block: (now) => {
      isBlocked = now
      if (now) end(chats)
    },
    stop: () => {
      end(links)
      line.close()
    },
    connected: async (count) => {
      while (chats.size !== count) await once(changed, 'change')
    },
  }
  t.teardown(web.stop)
  return web
}

function forward(browser: Socket, head: Buffer, port: number) {
  const server = connect({ host: '127.0.0.1', port, noDelay: true })
  server.write(head)
  server.on('error', () => browser.destroy())
  server.on('close', () => browser.destroy())
  browser.on('close', () => server.destroy())
  browser.pipe(server)
  server.pipe(browser)
}
