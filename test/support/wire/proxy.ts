import { connect, createServer, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface ProxyOptions {
  /** Whether to keep all bytes for `captured`. Default true. */
  readonly keep?: boolean
  /** Called for each chunk: true drops it and breaks its link. */
  readonly loses?: (from: 'client' | 'server', bytes: number) => boolean
}

/** A TCP proxy that records traffic and can break its links. `to` is read for each new link: the server may move. */
export async function openProxy(
  t: ExecutionContext,
  to: { readonly host: string; readonly port: number },
  { keep = true, loses = () => false }: ProxyOptions = {},
) {
  const links = new Set<Socket>()
  const fromClients: Buffer[] = []
  const fromServer: Buffer[] = []
  let deaf = false
  /** Open links that pass no bytes any more. */
  const dead = new Set<Socket>()
  // Without Nagle's algorithm, which would delay the second of two small writes by 40 ms.
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
        if (loses(from === server ? 'server' : 'client', chunk.length)) return void from.destroy()
        // The reply is lost although the server has executed the request.
        if (!(deaf && from === server)) into.write(chunk)
      })
      from.on('close', () => {
        links.delete(from)
        // Not even the end of the link passes.
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
    /** Existing links pass nothing any more, without notice to either end. New links work. */
    freeze() {
      for (const link of links) dead.add(link)
    },
    /** Drops replies of the server from now on, or stops dropping them. */
    loseAnswers(lose: boolean) {
      deaf = lose
    },
    captured: () => ({ fromClients: Buffer.concat(fromClients), fromServer: Buffer.concat(fromServer) }),
  }
}
