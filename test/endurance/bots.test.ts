import { EventEmitter, once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Client, QueryConsumers, QueryRooms } from '../../client/index.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { type ServerProcess, startServerProcess } from '../support/processes/server-process.ts'

const BOT = fileURLToPath(new URL('../support/endurance/killed-bot.js', import.meta.url))
const NAMES = ['alice', 'carol', 'dave', 'eve']
/** Unanswered messages of one user at a time. */
const WINDOW = 3
const MOST_ANSWERS_A_ROUND = 60
const MOST_MS_MORE = 12
const LONGEST_START_MS = 1500

/** A user who keeps the bot busy and records its answers. */
class Customer {
  readonly name: string
  readonly #client: Client
  readonly #answered: () => void
  /** Ids of the messages to the bot, by text. */
  readonly said = new Map<string, number>()
  /** Ids of the answers, by text. */
  readonly answers = new Map<string, Set<number>>()
  isTalking = true

  /** @param answered called after each answer */
  constructor(name: string, client: Client, answered: () => void) {
    this.name = name
    this.#client = client
    this.#answered = answered
    void this.#listen()
  }

  async say(): Promise<number> {
    const text = `${this.name} ${this.said.size + 1}`
    // Before sending: the answer may arrive before the reply.
    this.said.set(text, 0)
    const { id } = await this.#client.send('worker', text, { clientId: text })
    this.said.set(text, id)
    return id
  }

  get isAnswered(): boolean {
    return [...this.said.keys()].every((text) => this.answers.has(`done ${text}`))
  }

  async #listen() {
    for await (const { id, text } of this.#client.messages()) {
      const before = this.answers.get(text)
      this.answers.set(text, new Set([...(before ?? []), id]))
      this.#answered()
      if (this.isTalking && before === undefined && text.startsWith('done')) await this.say()
    }
  }
}

/** A server with a bot account, and the file in which the bot records handled events. */
async function openWorkshop(t: ExecutionContext) {
  const server = await startServerProcess(t, { limits: { groupsPerUser: 1e6 } })
  const handled = join(server.shell.folder, 'handled')
  await writeFile(handled, '')
  const made = await server.shell.run(['users', 'create', 'worker', '--bot', '--data', './room'])
  const key = made.stdout.trim()
  const environment = {
    HANDLED_FILE: handled,
    CHATCTL_BOT_KEY: key,
    CHATCTL_SERVER: `${server.host}:${server.port}`,
  }
  return {
    server,
    key,
    handled: async () => (await readFile(handled, 'utf8')).split('\n').filter(Boolean).map(Number),
    start: (env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) =>
      server.shell.start(['bot', 'run', BOT, ...args], { env: { ...environment, ...env } }),
  }
}

/** The totals; all but the first three must be 0. */
function figures(customers: readonly Customer[], handled: readonly number[]) {
  const once = new Set(handled)
  const answers = customers.flatMap((customer) => [...customer.answers])
  const wanted = customers.flatMap(({ said }) => [...said.keys()]).flatMap((text) => [`seen ${text}`, `done ${text}`])
  const given = new Set(answers.map(([text]) => text))
  return {
    events: customers.reduce((sum, { said }) => sum + said.size, 0),
    'handled again': handled.length - once.size,
    answers: answers.length,
    skipped: customers.flatMap(({ said }) => [...said.values()]).filter((id) => !once.has(id)).length,
    'answers missing': wanted.filter((text) => !given.has(text)).length,
    'answers twice': answers.filter(([, ids]) => ids.size > 1).length,
    unexpected: answers.length - wanted.filter((text) => given.has(text)).length,
  }
}

const KEPT = { skipped: 0, 'answers missing': 0, 'answers twice': 0, unexpected: 0 }

/** All users who keep the bot busy. */
async function openCustomers(server: ServerProcess) {
  const bell = new EventEmitter()
  const enter = async (name: string) =>
    new Customer(name, await server.user(name, { reconnect: true }), () => bell.emit('answer'))
  const customers = await Promise.all(NAMES.map(enter))
  return {
    customers,
    answers: () => customers.reduce((sum, customer) => sum + customer.answers.size, 0),
    async until(holds: () => boolean) {
      while (!holds()) await once(bell, 'answer')
    },
  }
}

test('a bot killed many times handles every event and performs each action once', async (t) => {
  const rounds = times(6, 200)
  t.timeout(rounds * 20_000 + 2 * MINUTES)
  const random = seeded(t)
  const { server, key, start, handled } = await openWorkshop(t)
  const early = await server.user('early')
  const { id: before } = await early.send('worker', 'from before its time')
  const first = start()
  await first.output.says(/the bot has started/)
  first.child.kill('SIGKILL')
  await first.done
  const { customers, answers, until } = await openCustomers(server)
  let beforeWork = 0
  for (let round = 1; round <= rounds; round++) {
    // Some messages while the bot is down.
    await Promise.all(customers.map((customer) => customer.say()))
    while (customers.some(({ said, answers }) => said.size * 2 - answers.size < WINDOW * 2))
      await Promise.all(customers.map((customer) => customer.say()))
    const bot = start()
    if (random() < 0.1) {
      beforeWork++
      await pause(random() * LONGEST_START_MS)
    } else {
      const wanted = answers() + random() * MOST_ANSWERS_A_ROUND
      await Promise.race([until(() => answers() >= wanted), bot.done])
      // A random moment for the kill, not a wait for a condition.
      await pause(random() * MOST_MS_MORE)
    }
    t.true(bot.child.kill('SIGKILL'), `round ${round}: the bot has ended by itself`)
    t.like(await bot.done, { signal: 'SIGKILL' })
  }
  for (const customer of customers) customer.isTalking = false
  const last = start()
  await until(() => customers.every(({ isAnswered }) => isAnswered))
  last.child.kill()
  const ended = await last.done
  t.is(ended.code, 0)
  const ids = await handled()
  const found = figures(customers, ids)
  t.log(line({ rounds, 'killed while starting': beforeWork, ...found }))
  t.like(found, KEPT)
  // Otherwise no request was in flight at the kills.
  t.true(found['handled again'] > 0)
  t.false(ids.includes(before), 'no message from before its start')
  await using self = await server.connect()
  await self.login('worker', { password: key })
  const { groups } = await self.request(QueryRooms, {})
  const asked = customers.flatMap(({ said }) => [...said.keys()]).filter((text) => text.endsWith('0'))
  t.deepEqual(groups.map(({ group }) => group).sort(), asked.map((text) => `made for ${text}`).sort())

  // A replay delivers every event again, and no action is performed twice.
  const again = start({}, ['--replay-from', String(before - 1)])
  await again.output.says(/the bot has started/)
  for (let isDone = false; !isDone; ) {
    const [consumer] = (await self.request(QueryConsumers, {})).consumers
    isDone = consumer?.pending === 0 && consumer.position >= Math.max(...ids)
  }
  again.child.kill()
  t.is((await again.done).code, 0)
  const both = await handled()
  t.true(both.includes(before))
  t.is(both.length, ids.length + found.events + 1)
  t.like(figures(customers, both), { ...KEPT, answers: found.answers })
})

test('control: a bot without idempotency keys sends twice, and one that acknowledges first skips an event', async (t) => {
  t.timeout(2 * MINUTES)
  const { server, start, handled } = await openWorkshop(t)
  const { customers, until } = await openCustomers(server)
  const [alice] = customers as [Customer]
  alice.isTalking = false
  /** Lets the bot kill itself at the second of two messages, and restarts it. */
  const play = async (flaw: string) => {
    const first = start({ FLAW: flaw, DIE_AT: `alice ${alice.said.size + 2}` })
    await first.output.says(/the bot has started/)
    await alice.say()
    await alice.say()
    t.like(await first.done, { signal: 'SIGKILL' })
    const second = start({ FLAW: flaw })
    await second.output.says(/the bot has started/)
    const text = `alice ${alice.said.size + 1}`
    await alice.say()
    await until(() => alice.answers.has(`done ${text}`))
    second.child.kill()
    t.is((await second.done).code, 0)
    return figures(customers, await handled())
  }
  t.like(await play('keyless'), { ...KEPT, 'answers twice': 1 })
  const hasty = await play('hasty')
  t.log(line(hasty))
  t.like(hasty, { skipped: 1, 'answers missing': 2 })
})
