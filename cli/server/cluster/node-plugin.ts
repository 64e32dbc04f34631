import { type AnyPlugin, definePlugin } from '../../../core/index.ts'
import type { Membership } from './membership.ts'

/**
 * Tells operators about the node: `chatctl status` and metrics.
 * @param endpoint server of the database that is in use
 */
export const nodePlugin = ({ name, node, lease, link }: Membership, endpoint: () => string): AnyPlugin =>
  definePlugin({
    name: 'node',
    setup(app) {
      const { metrics } = app
      app.status(() => ({
        node: `${name} (${node})`,
        nodes: lease.others.length + 1,
        nats: link.peer() ?? 'not connected',
        endpoint: endpoint(),
      }))
      metrics.gauge(
        'cluster_nodes',
        'living nodes, this one included, as of the last renewal',
        () => lease.others.length + 1,
      )
      metrics.gauge('cluster_connected', '1 while this node is connected to NATS', () =>
        Number(link.peer() !== undefined),
      )
      metrics.gauge(
        'cluster_lease_age_seconds',
        'time since the lease of this node was renewed',
        () => lease.age / 1000,
      )
      metrics.total('cluster_said', 'messages to other nodes', () => link.figures.said)
      metrics.total('cluster_heard', 'messages of other nodes', () => link.figures.heard)
      metrics.total(
        'cluster_lost',
        'messages between nodes that could not be sent or understood',
        () => link.figures.lost,
      )
      metrics.total(
        'cluster_gaps',
        'connections to NATS: something may have been missed before each',
        () => link.figures.gaps,
      )
    },
  })
