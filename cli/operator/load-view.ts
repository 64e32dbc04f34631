import { printableLine } from '../output/printable.ts'
import type { Load } from './load-sample.ts'

const MIB = 2 ** 20
const ms = (value: number | null) => (value === null ? '-' : `${value} ms`)

/** The load of a server in one line. */
export const loadLine = (load: Load): string =>
  [
    `${load.sessions} sessions`,
    `${load.messagesPerSecond} messages/s`,
    `${load.requestsPerSecond} requests/s`,
    `${load.refusedPerSecond} refused/s`,
    `store p99 ${ms(load.storeP99)}`,
    `loop p99 ${ms(load.loopDelayP99)}`,
    `CPU ${load.cpuPercent} %`,
    `${Math.round(load.memory / MIB)} MiB`,
  ].join('  ')

/** The load of a server as a screen of lines. */
export function loadScreen(load: Load, dim: (text: string) => string): string[] {
  const rows: (readonly [string, string])[] = [
    ['running', `${load.uptime} s, CPU ${load.cpuPercent} %, ${Math.round(load.memory / MIB)} MiB`],
    [
      'connections',
      `${load.connections}, ${load.sessions} sessions of ${load.users} users, ${load.slowConnections} slow`,
    ],
    ['requests', `${load.requestsPerSecond}/s, ${load.refusedPerSecond}/s refused, ${load.requestsWaiting} waiting`],
    [
      'messages',
      `${load.messagesPerSecond}/s, ${load.messagesPerCommit ?? '-'} a commit, ${load.messagesQueued} queued`,
    ],
    ['stored in', `${ms(load.storeP50)} (p50), ${ms(load.storeP99)} (p99)`],
    ['delivered in', `${ms(load.deliveryP99)} (p99)`],
    ['event loop', `${ms(load.loopDelayP99)} late (p99)`],
    ['unread output', `${Math.round(load.outboundBytes / 1024)} KiB`],
    ['database', `${load.databaseUsed} of ${load.databaseMax} connections, ${load.databaseWaiting} waiting`],
    [
      'consumers',
      `${load.consumersActive} active, ${load.consumerEvents} events in flight, ${load.consumerLag} s behind`,
    ],
    ['plugins', load.pluginsDegraded === 0 ? 'ok' : `${load.pluginsDegraded} degraded: see \`chatctl plugin list\``],
  ]
  const width = Math.max(...rows.map(([title]) => title.length))
  return [
    ...rows.map(([title, text]) => `${dim(title.padEnd(width))}  ${text}`),
    '',
    ...load.busiest.map(({ type, perSecond }) => `${dim(`${perSecond}/s`.padStart(width))}  ${printableLine(type)}`),
  ]
}
