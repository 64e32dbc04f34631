/** Functions of Node as they were before the simulation replaced them. */
export const REAL = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  now: performance.now.bind(performance),
  time: Date.now,
  random: Math.random,
  timeoutSignal: AbortSignal.timeout.bind(AbortSignal),
}
