import { TestClock } from '../../../testing/test-clock.ts'

/** Some turns of the event loop, in which nodes hear each other. */
async function turns() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A clock for all nodes of a test. */
export const clusterClock = () => new TestClock(undefined, turns)

/** Lets time pass until a condition holds. */
export async function eventually(clock: TestClock, holds: () => boolean | Promise<boolean>) {
  while (!(await holds())) await clock.advance(50)
}
