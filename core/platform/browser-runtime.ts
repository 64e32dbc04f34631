import { Buffer as BrowserBuffer } from './browser-buffer.ts'
import type { Runtime } from './port.ts'

export const Buffer = BrowserBuffer as unknown as Runtime['Buffer']

// A leading U+FEFF belongs to the text.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const readUtf8: Runtime['readUtf8'] = (bytes, start, end) => {
  try {
    return strictUtf8.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/** Not a timer: browsers delay those by 4 ms, and by a second or more in a background tab. */
export const afterTurn: Runtime['afterTurn'] = (task) => {
  const { port1, port2 } = new MessageChannel()
  const run = () => {
    port1.close()
    task()
  }
  // The types of Node lack it.
  Object.assign(port1, { onmessage: run })
  port2.postMessage(undefined)
}

export const allowListeners: Runtime['allowListeners'] = () => {}
