import { definePlugin } from './plugin.ts'
import { type Catalogue, Ping, QueryProtocol, QueryStatus, toEntry } from './wire/index.ts'

/** Answers the messages of the protocol itself. */
export const controlPlugin = (server: { status(): object; readonly catalogue: Catalogue }) =>
  definePlugin({
    name: 'control',
    setup(app) {
      app.handle(Ping, () => {}, { rated: false })
      app.handle(QueryProtocol, () => ({
        json: JSON.stringify([...server.catalogue].map(toEntry)),
        limits: JSON.stringify(app.limits),
      }))
      app.handle(QueryStatus, () => ({ json: JSON.stringify(server.status()) }))
    },
  })
