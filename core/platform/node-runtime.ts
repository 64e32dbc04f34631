import { isUtf8 } from 'node:buffer'
import { setMaxListeners } from 'node:events'
import type { Runtime } from './port.ts'

export { Buffer } from 'node:buffer'

export const readUtf8: Runtime['readUtf8'] = (bytes, start, end) =>
  isUtf8(bytes.subarray(start, end)) ? bytes.toString('utf8', start, end) : undefined

export const afterTurn: Runtime['afterTurn'] = (task) => {
  setImmediate(task)
}

export const allowListeners: Runtime['allowListeners'] = (signal) => setMaxListeners(0, signal)
