const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000]

/** Pauses after the failed attempts of one event; after the last one it is given up. */
const PAUSES = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR]

/** A hook that has failed for so long is disabled. */
export const MAX_FAILING_MS = 5 * 24 * HOUR

/** Milliseconds after that many failed attempts; undefined when the event is given up. */
export const pauseAfter = (attempts: number): number | undefined => PAUSES[attempts - 1]
