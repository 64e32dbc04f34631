/** What lines of one kind suffer. */
export interface Disturbance {
  /** Mean delay of each piece of data, in milliseconds. */
  readonly delayMs: number
  /** Share of the pieces at which a connection breaks. */
  readonly breaks: number
  /** Nothing passes, and nobody is told. */
  readonly isSilent: boolean
}

export const UNDISTURBED: Disturbance = { delayMs: 0, breaks: 0, isSilent: false }

export type LineKind = 'clients' | 'database' | 'nats'

/** A place where a gate listens, and where it passes connections on to. */
export interface GateLine {
  readonly kind: LineKind
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number }
  readonly to: { readonly host: string; readonly port: number }
}

export interface GateSettings {
  readonly lines: readonly GateLine[]
}
