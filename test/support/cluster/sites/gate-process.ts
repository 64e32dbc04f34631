import { connect, createServer, type Socket } from 'node:net'
import { type Disturbance, type GateSettings, UNDISTURBED } from './gate-settings.ts'

/** Passes on what comes from one side, in order, after the delay of the moment. */
class Direction {
  readonly #from: Socket
  readonly #into: Socket
  readonly #disturbance: () => Disturbance
  #free = 0
  #isFull = false

  constructor(from: Socket, into: Socket, disturbance: () => Disturbance) {
    this.#from = from
    this.#into = into
    this.#disturbance = disturbance
    // The close that follows is passed on.
    from.on('error', () => {})
    from.on('data', (chunk: Buffer) => this.#pass(chunk))
    from.on('end', () => this.#later(() => into.end()))
    from.on('close', () => {
      open.delete(this)
      this.#later(() => into.destroy())
    })
    open.add(this)
    this.flow()
  }

  /** Reads on, unless nothing may pass now. */
  flow() {
    if (this.#isFull || this.#disturbance().isSilent) this.#from.pause()
    else this.#from.resume()
  }

  #pass(chunk: Buffer) {
    const { breaks } = this.#disturbance()
    if (breaks > 0 && Math.random() < breaks) {
      this.#from.destroy()
      this.#into.destroy()
    } else
      this.#later(() => {
        if (!this.#into.writable || this.#into.write(chunk)) return
        this.#isFull = true
        this.flow()
        this.#into.once('drain', () => {
          this.#isFull = false
          this.flow()
        })
      })
  }

  #later(act: () => void) {
    const { delayMs } = this.#disturbance()
    const now = performance.now()
    if (delayMs === 0 && this.#free <= now) return act()
    this.#free = Math.max(this.#free, now + Math.random() * 2 * delayMs)
    setTimeout(act, this.#free - now)
  }
}

const open = new Set<Direction>()
/** By kind of line. */
const disturbances = new Map<string, Disturbance>()

const { lines } = JSON.parse(process.argv[2] ?? '') as GateSettings
const listening = lines.map(({ kind, listen, to }) => {
  const disturbance = () => disturbances.get(kind) ?? UNDISTURBED
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ ...to, noDelay: true, allowHalfOpen: true })
    new Direction(near, far, disturbance)
    new Direction(far, near, disturbance)
  })
  return new Promise<void>((resolve) => server.listen(listen, () => resolve()))
})

process.on('message', ({ kind, disturbance }: { kind: string; disturbance: Disturbance }) => {
  disturbances.set(kind, disturbance)
  for (const direction of open) direction.flow()
})
process.on('disconnect', () => process.exit(0))
await Promise.all(listening)
process.send?.('ready')
