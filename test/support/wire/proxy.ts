import { connect, createServer, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface ProxyOptions {
  /** Whether to keep all that passed, for `captured`. Default true. */
  readonly keep?: boolean
  /** Asked for each chunk of the server: true loses it and cuts its link. */
  readonly loses?: () => boolean
}

/** A TCP proxy that keeps what passed and can cut its links. `to` is looked at for each new link: it may move. */
export async function openProxy(
  t: ExecutionContext,
  to: { readonly host: string; readonly port: number },
  { keep = true, loses = () => false }: ProxyOptions = {},
) {
  const links = new Set<Socket>()
  const fromClients: Buffer[] = []
  const fromServer: Buffer[] = []
  let deaf = false
  /** Links that nothing passes any more, although they are open. */
  const dead = new Set<Socket>()
  // Without delay: two small writes, a push and a reply, would else be 40 ms apart.
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ port: to.port, host: to.host, noDelay: true })
    for (const [from, into, kept] of [
      [client, server, fromClients],
      [server, client, fromServer],
    ] as const) {
      links.add(from)
      from.on('error', () => {})
      from.on('data', (chunk: Buffer) => {
        if (dead.has(from)) return
        if (keep) kept.push(chunk)
        if (from === server && loses()) return void server.destroy()
        // What the server answers may be lost on the way, while it has done what it was asked.
        if (!(deaf && from === server)) into.write(chunk)
      })
      from.on('close', () => {
        links.delete(from)
        // Not even its end passes.
        if (!dead.has(from)) into.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const link of links) link.destroy()
  }
  t.teardown(() => {
    dead.clear()
    cut()
    listener.close()
  })
  return {
    address: `127.0.0.1:${(listener.address() as { port: number }).port}`,
    cut,
    /** A black hole: nothing passes the links there are any more, and neither end is told. New links are good ones. */
    freeze() {
      for (const link of links) dead.add(link)
    },
    /** From now on answers of the server are lost. */
    loseAnswers(lose: boolean) {
      deaf = lose
    },
    captured: () => ({ fromClients: Buffer.concat(fromClients), fromServer: Buffer.concat(fromServer) }),
  }
}
