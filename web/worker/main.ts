import { Chat } from './chat.ts'
import { Hub } from './hub.ts'

declare const self: SharedWorkerGlobalScope | DedicatedWorkerGlobalScope

const hub = new Hub((emit) => new Chat(emit))
const attach = ({ ports: [port] }: MessageEvent) => {
  if (port !== undefined) hub.attach(port)
}

// One connection for all tabs; a browser without shared workers starts this script once per tab.
if ('onconnect' in self) self.onconnect = attach
else self.onmessage = attach
