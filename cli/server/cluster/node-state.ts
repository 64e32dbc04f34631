/** What a node stores about itself with each renewal of its lease: its status, as `chatctl status` shows it. */
export interface NodeState {
  readonly connections: number
  readonly users: number
  /** Durable consumers whose events a session receives. */
  readonly consumers?: number
  /** Server of NATS, or `not connected`. */
  readonly nats?: string
  /** Number up to which the node has followed the log. */
  readonly seen?: number
  /** Server of the database that is in use. */
  readonly endpoint?: string
  /** Whether the node lets its requests finish and sends its clients to others. */
  readonly isStopping: boolean
}
