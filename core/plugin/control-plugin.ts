import { type Catalogue, Ping, QueryPlugins, QueryProtocol, QueryStatus, toEntry } from '../wire/index.ts'
import { definePlugin } from './plugin.ts'
import type { PluginFacts } from './plugin-facts.ts'
import { defineServerMetrics, type ServerFigures } from './server-metrics.ts'

/** Answers the messages of the protocol itself. */
export const controlPlugin = (server: {
  readonly catalogue: Catalogue
  status(): object
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
      app.handle(QueryStatus, () => ({ json: JSON.stringify(server.status()) }))
      app.handle(QueryPlugins, async () => ({ json: JSON.stringify(await server.plugins()) }))
    },
  })
