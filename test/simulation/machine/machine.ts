import type { request } from 'node:http'
import type { Random } from '../../support/random.ts'
import type { EventLoop } from './event-loop.ts'

/** The machine on which the code of this process runs: the simulated one during a run, otherwise the real one. */
export const machine: {
  loop: EventLoop | undefined
  /** Random bytes of all processes. */
  entropy: Random
  /** Takes HTTP requests. */
  request: typeof request
} = { loop: undefined, entropy: undefined as never, request: undefined as never }
