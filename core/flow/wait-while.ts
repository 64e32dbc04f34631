import type { Clock } from '../clock.ts'

/** How often the condition is looked at. */
const LOOK_MS = 5

/** Resolves when the condition holds no longer, or after `ms` milliseconds. */
export async function waitWhile(holds: () => boolean, ms: number, clock: Clock) {
  const end = clock.now() + ms
  while (holds() && clock.now() < end) await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve))
}
