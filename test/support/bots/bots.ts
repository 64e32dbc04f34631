import type { ExecutionContext } from 'ava'
import pino from 'pino'
import type { Bot, RunningBot, StartOptions } from '../../../bot/index.ts'
import type { BuiltInLimits } from '../../../plugins/index.ts'
import { TestUser } from '../../../testing/test-user.ts'
import { Timeouts } from '../../../testing/timeouts.ts'
import type { LocalServer } from '../server.ts'

export const quiet = pino({ level: 'silent' })

/** Starts a bot as a user, who is registered if needed. The bot is stopped when the test ends. */
export async function startBot<State>(
  t: ExecutionContext,
  server: LocalServer,
  bot: Bot<State>,
  { user = bot.name, ...options }: Partial<StartOptions> = {},
): Promise<RunningBot<State>> {
  const self = await server.user(user)
  await self.close()
  const running = await bot.start({
    server: server.address,
    user,
    password: `${user}'s password`,
    leastIterations: 4096,
    log: quiet,
    ...options,
  })
  t.teardown(() => running.stop({ grace: 0 }))
  return running
}

/** Logs a user in who records messages, as `user` of a test server does. */
export async function enter(t: ExecutionContext, server: LocalServer, name: string): Promise<TestUser> {
  const client = await server.user(name)
  const timeouts = new Timeouts()
  t.teardown(() => timeouts.clear())
  const user = new TestUser({
    name,
    client,
    timeouts,
    pushed: [],
    window: (server.server.limits as BuiltInLimits).unacknowledged,
    // The reply comes after all earlier pushes.
    settled: async () => void (await client.inbox()),
    context: () => '',
  })
  await client.receive()
  return user
}

/** The texts of the next messages that a user hears. */
export async function nextTexts(user: TestUser, count: number): Promise<string[]> {
  const found: string[] = []
  while (found.length < count) found.push((await user.hears(/^/)).text)
  return found
}

/** Holds handlers until it is opened. */
export class Gate {
  #isOpen = false
  #passes = 0
  #waiting: (() => void)[] = []

  open() {
    this.#isOpen = true
    for (const go of this.#waiting.splice(0)) go()
  }

  close() {
    this.#isOpen = false
  }

  pass(): Promise<void> {
    this.#passes++
    return this.#isOpen ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Resolves when so many handlers have reached the gate. */
  reached(times: number): Promise<void> {
    return until(() => this.#passes >= times)
  }
}

/** Polls a condition at each turn of the event loop, until the time limit of the test. */
export async function until(holds: () => boolean | Promise<boolean>) {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
