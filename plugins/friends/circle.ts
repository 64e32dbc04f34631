/** Whom a user knows, as far as the message path must know it. */
export interface Circle {
  /** Friends, and since when. */
  readonly friends: ReadonlyMap<number, number>
  readonly blocked: ReadonlySet<number>
}

/** Of a user nothing is known of. */
export const NOBODY: Circle = { friends: new Map(), blocked: new Set() }

/** Circles kept in memory. */
export const CIRCLES_KEPT = 20_000
