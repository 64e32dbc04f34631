import { ALONE } from '../cluster/cluster.ts'
import { type Catalogue, Ping, QueryPlugins, QueryProtocol, QueryStatus, toEntry } from '../wire/index.ts'
import { type App, definePlugin } from './plugin.ts'
import type { PluginFacts } from './plugin-facts.ts'
import { defineServerMetrics, type ServerFigures } from './server-metrics.ts'

/** What nodes tell each other for `chatctl status`. */
interface NodeFigures {
  readonly uptime: number
  readonly connections: number
  readonly users: number
  readonly memory: number
}

/** Asks all nodes for their figures, and answers when others ask. Undefined without a cluster. */
function clusterStatus({ cluster, onStop }: App, status: () => NodeFigures) {
  if (cluster === ALONE) return undefined
  const own = () => {
    const { uptime, connections, users, memory } = status()
    return { node: cluster.node, uptime, connections, users, memory }
  }
  onStop(cluster.answer('status', own))
  return async () => {
    const { answers, silent } = await cluster.ask<ReturnType<typeof own>>('status', null)
    return { node: cluster.node, nodes: [own(), ...answers.values()].sort((a, b) => a.node - b.node), silent }
  }
}

/** Answers the messages of the protocol itself. */
export const controlPlugin = (server: {
  readonly catalogue: Catalogue
  status(): NodeFigures
  plugins(): Promise<readonly PluginFacts[]>
  figures(): ServerFigures
}) =>
  definePlugin({
    name: 'control',
    setup(app) {
      defineServerMetrics(app.metrics, app.limits, () => server.figures())
      app.handle(Ping, () => {}, { rated: false })
      /** Made once, since strangers may ask for it; every message is defined before the first request. */
      let protocol: { readonly json: string; readonly limits: string } | undefined
      app.handle(QueryProtocol, () => {
        protocol ??= {
          json: JSON.stringify([...server.catalogue].map(toEntry)),
          limits: JSON.stringify(app.limits),
        }
        return protocol
      })
      const cluster = clusterStatus(app, () => server.status())
      app.handle(QueryStatus, async () => {
        const others = await cluster?.()
        return { json: JSON.stringify({ ...server.status(), ...(others !== undefined && { cluster: others }) }) }
      })
      app.handle(QueryPlugins, async () => ({ json: JSON.stringify(await server.plugins()) }))
    },
  })
