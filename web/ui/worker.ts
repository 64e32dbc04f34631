import type { CallFailure } from '../shared/model.ts'
import type { ArgumentOf, CallName, CallRequest, FromWorker, ResultOf, WorkerEvent } from '../shared/protocol.ts'

/** Path of the worker's script, set by the build. */
declare const WORKER_PATH: string

/** A call that the worker or the server refused. */
export class CallError extends Error {
  readonly failure: CallFailure

  constructor(failure: CallFailure) {
    super(failure.text)
    this.failure = failure
  }
}

// The only use of a Trusted Types policy: the address of a worker is checked against the one of this build.
const scripts = globalThis.trustedTypes?.createPolicy('chatctl', {
  createScriptURL: (url) => {
    if (url !== WORKER_PATH && url !== '/sw.js') throw new TypeError(`${url} is not a script of this page`)
    return url
  },
})

/** A script's address in the form that constructors of workers take under Trusted Types. */
export const scriptUrl = (path: string) => (scripts?.createScriptURL(path) ?? path) as string

/** One shared worker for all tabs; a worker of this tab where the browser has no shared ones. */
function openPort(): MessagePort {
  const url = scriptUrl(WORKER_PATH)
  if (typeof SharedWorker === 'function') {
    const { port } = new SharedWorker(url, { name: WORKER_PATH })
    return port
  }
  const { port1, port2 } = new MessageChannel()
  new Worker(url).postMessage('view', [port2])
  return port1
}

interface Pending {
  readonly resolve: (result: never) => void
  readonly reject: (error: CallError) => void
}

const pending = new Map<number, Pending>()
let port: MessagePort | undefined
let lastRef = 0

/** Connects this view; events follow, first those that describe the present state. */
export function openWorker(onEvent: (event: WorkerEvent) => void) {
  const opened = openPort()
  port = opened
  opened.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if ('event' in data) return onEvent(data.event)
    const call = pending.get(data.ref)
    pending.delete(data.ref)
    if ('failure' in data) call?.reject(new CallError(data.failure))
    else call?.resolve(data.result as never)
  }
  // A page in the back-forward cache may come back, so it stays connected.
  addEventListener('pagehide', ({ persisted }) => {
    if (!persisted) opened.postMessage('bye')
  })
}

/** Calls the worker. @throws CallError */
export function call<N extends CallName>(
  name: N,
  ...[argument]: ArgumentOf<N> extends undefined ? [] : [ArgumentOf<N>]
): Promise<ResultOf<N>> {
  const ref = ++lastRef
  return new Promise((resolve, reject) => {
    pending.set(ref, { resolve, reject })
    port?.postMessage({ ref, name, argument } satisfies CallRequest)
  })
}
