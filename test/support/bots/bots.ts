import type { ExecutionContext } from 'ava'
import pino from 'pino'
import type { Bot, RunningBot, StartOptions } from '../../../bot/index.ts'
import type { ChatMessage, Client, ClientError } from '../../../client/index.ts'
import type { LocalServer } from '../server.ts'

export const quiet = pino({ level: 'silent' })

/** Starts a bot as a user of the server, who is registered if need be. It is stopped when the test ends. */
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

/** A person at a client: what was said to them, in order. */
export class Person {
  readonly client: Client
  readonly name: string
  readonly heard: ChatMessage[] = []
  #wake = () => {}

  private constructor(client: Client, name: string) {
    this.client = client
    this.name = name
    void this.#listen()
  }

  static async at(server: LocalServer, name: string): Promise<Person> {
    const client = await server.user(name)
    const person = new Person(client, name)
    // Whoever is pushed to is listening by now: the reply comes after the request for pushes.
    await client.inbox()
    return person
  }

  get texts(): string[] {
    return this.heard.map(({ text }) => text)
  }

  says(to: string | { group: string }, text: string) {
    return this.client.send(to, text)
  }

  /** The message of that number, from 1, when it has come. */
  async hears(count: number): Promise<ChatMessage> {
    while (this.heard.length < count)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    return this.heard[count - 1] as ChatMessage
  }

  /** Says something and gives the answer to it. */
  async asks(to: string | { group: string }, text: string): Promise<string> {
    const next = this.heard.length + 1
    await this.says(to, text)
    return (await this.hears(next)).text
  }

  async #listen() {
    try {
      for await (const message of this.client.messages()) {
        this.heard.push(message)
        this.#wake()
      }
    } catch (error) {
      // The test has ended.
      if ((error as ClientError).code !== 'closed') throw error
    }
  }
}

/** Where handlers stand until it is open. */
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

  /** Resolves when it was come to so many times. */
  reached(times: number): Promise<void> {
    return until(() => this.#passes >= times)
  }
}

/** Waits until something is so. Fails with the test's time limit. */
export async function until(holds: () => boolean | Promise<boolean>) {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
