import type { Address } from '../client/channel.ts'
import { ceilingPairs } from './ceiling.ts'
import { ATTACKS } from './hostile/attacks.ts'
import { hostile } from './hostile/bystander.ts'
import * as load from './load/index.ts'
import type { Trial } from './measured.ts'
import type { BenchOptions, PairShape, Workload } from './options.ts'
import type { BenchServer } from './server.ts'

const [POSTERS, GROUP_WINDOW] = [10, 8]
const [LOGIN_USERS, LOGIN_WINDOW] = [100, 16]
/** The default limit of a server. */
const SESSIONS_PER_USER = 10

/** A line of the table that is to be measured. */
export interface Plan {
  readonly title: string
  /** The same load on the ceiling's server. */
  readonly ceiling?: Trial['load']
  readonly run: Trial['load']
  /** Whether the server runs with its default limits. */
  readonly isLimited?: boolean | undefined
}

/** What is measured for a workload. */
export function plans(workload: Workload, options: BenchOptions): Plan[] {
  const { members, messages, size } = options
  switch (workload) {
    case 'pairs':
      return options.shapes.map((shape) => pairs(shape, options))
    case 'group': {
      const group = { ...options, members, posters: Math.min(POSTERS, members), window: GROUP_WINDOW }
      return [{ title: `group of ${members}`, run: (server, ...rest) => load.group(addressOf(server), group, ...rest) }]
    }
    case 'logins': {
      const logins = { ...options, users: LOGIN_USERS, window: LOGIN_WINDOW }
      return [false, true].map((receives) => ({
        title: receives ? 'logins with receive' : 'logins',
        run: (server, ...rest) => load.logins(addressOf(server), { ...logins, receives }, ...rest),
      }))
    }
    case 'idle':
      return options.sessions.map((sessions) => ({
        title: `${sessions} idle sessions`,
        run: (server, ...rest) =>
          load.idle(addressOf(server), { sessions, perUser: SESSIONS_PER_USER, memory: server.memory }, ...rest),
      }))
    case 'unread':
      return [
        {
          title: `${messages} unread`,
          run: (server, ...rest) => load.unread(addressOf(server), { messages, size }, ...rest),
        },
      ]
    // Measured by themselves, in tables of their own.
    case 'grown':
    case 'cluster':
      return []
    case 'hostile':
      return attacksOf(options).map((attack) => ({
        title: attack.name,
        isLimited: true,
        run: ({ port }, ...rest) => hostile({ host: '127.0.0.1', port }, attack, options.seconds, ...rest),
      }))
  }
}

/** Where the load connects: to the WebSocket of a server that has one. */
const addressOf = ({ port, http }: BenchServer): Address =>
  http === undefined ? { host: '127.0.0.1', port } : { url: `${http.replace('http', 'ws')}/chat` }

function attacksOf({ attacks }: BenchOptions) {
  const unknown = attacks?.find((name) => !ATTACKS.some((attack) => attack.name === name))
  if (unknown !== undefined)
    throw new Error(`there is no attack "${unknown}": ${ATTACKS.map(({ name }) => name).join(', ')}`)
  return ATTACKS.filter(({ name }) => attacks?.includes(name) ?? true)
}

function pairs(shape: PairShape, { size, seconds, warmUp }: BenchOptions): Plan {
  const options = { ...shape, size, seconds, warmUp }
  return {
    title: `${shape.pairs} pairs × ${shape.window}`,
    ceiling: ({ port }, ...rest) => load.pairs(ceilingPairs(port), options, ...rest),
    run: (server, ...rest) => load.pairs(load.friendsOn(addressOf(server)), options, ...rest),
  }
}
