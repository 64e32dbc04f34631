import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import { type Client, type ConnectOptions, Login } from '../../client/index.ts'
import { startLogin } from '../../core/scram/index.ts'
import { isLong, line, MINUTES, percentile, seeded, times } from '../support/endurance/rounds.ts'
import { type ServerProcess, startServerProcess } from '../support/processes/server-process.ts'

/** The default limits. */
const PER_ACCOUNT = 5
const PER_ADDRESS = 20

async function from(
  server: ServerProcess,
  localAddress: string,
  options: Partial<ConnectOptions> = {},
): Promise<Client> {
  const socket = connect({ host: server.host, port: server.port, localAddress })
  await once(socket, 'connect')
  return server.connect({ server: socket, ...options })
}

/** Failures of logins with wrong passwords from one address. */
async function guess(server: ServerProcess, address: string, names: readonly string[]): Promise<string[]> {
  const answers: string[] = []
  // As many as one connection may send before login.
  for (let at = 0; at < names.length; at += 4) {
    const client = await from(server, address)
    for (const name of names.slice(at, at + 4)) {
      try {
        await client.login(name, { password: 'wrong' })
        answers.push('logged in')
      } catch (error) {
        answers.push((error as { failure?: string }).failure ?? String(error))
      }
    }
    await client.close()
  }
  return answers
}

const count = (answers: readonly string[], what: string) => answers.filter((answer) => answer === what).length

test('of guesses at one account from a hundred addresses few are checked, and the owner can log in', async (t) => {
  t.timeout(5 * MINUTES)
  const server = await startServerProcess(t)
  await (await server.user('alice')).close()
  const each = times(8, 20)
  const answers: string[] = []
  for (let n = 1; n <= 100; n++) {
    answers.push(
      ...(await guess(
        server,
        `127.0.1.${n}`,
        Array.from({ length: each }, () => 'alice'),
      )),
    )
    if (n % 20 === 0) await (await server.user('alice')).close()
  }
  const figures = { guesses: answers.length, 'looked at': count(answers, 'login_failed') }
  t.log(line({ ...figures, refused: count(answers, 'too_many_attempts') }))
  t.deepEqual(figures, { guesses: 100 * each, 'looked at': 100 * PER_ACCOUNT })
  t.is(count(answers, 'too_many_attempts'), 100 * (each - PER_ACCOUNT))
})

test('of single guesses at many accounts from one address few are checked, whether or not the accounts exist', async (t) => {
  t.timeout(5 * MINUTES)
  const server = await startServerProcess(t)
  await (await server.user('alice')).close()
  const names = Array.from({ length: times(100, 1000) }, (_, n) => (n % 7 === 0 ? 'alice' : `nobody${n}`))
  const answers = await guess(server, '127.0.2.1', names)
  const looked = count(answers, 'login_failed')
  t.log(line({ guesses: answers.length, 'looked at': looked, refused: count(answers, 'too_many_attempts') }))
  t.is(looked, PER_ADDRESS)
  t.is(count(answers, 'too_many_attempts'), answers.length - looked)
  await (await server.user('alice')).close()
})

/** Welch's t of two samples: beyond ±5 they are distinguishable. */
function welch(one: readonly number[], other: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = (values: readonly number[], middle = mean(values)) =>
    values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1) / values.length
  return (mean(one) - mean(other)) / Math.sqrt(variance(one) + variance(other))
}

test('existing and unknown names get challenges of the same form and in the same time', async (t) => {
  t.timeout(10 * MINUTES)
  const random = seeded(t)
  const server = await startServerProcess(t, { limits: { messagesBeforeLogin: 1e9, login: 3_600_000 } })
  const known = Array.from({ length: 20 }, (_, n) => `known${n}`)
  const unknown = Array.from({ length: 20 }, (_, n) => `ghost${n}`)
  for (const name of known) await (await server.user(name)).close()
  const stranger = await server.connect()
  const salts = new Map<string, Set<string>>()
  const shapes = new Set<string>()
  const delays = { known: [] as number[], unknown: [] as number[] }
  const ask = async () => {
    const isKnown = random() < 0.5
    const name = (isKnown ? known : unknown)[Math.floor(random() * 20)] ?? ''
    const { clientFirst } = startLogin(name)
    const asked = performance.now()
    const { serverFirst } = await stranger.request(Login, { clientFirst })
    delays[isKnown ? 'known' : 'unknown'].push(performance.now() - asked)
    const salt = /s=([^,]+)/.exec(serverFirst)?.[1] ?? ''
    salts.set(name, (salts.get(name) ?? new Set()).add(salt))
    shapes.add(serverFirst.replace(/r=[^,]+/, (nonce) => `r=${nonce.length}`).replace(/s=[^,]+/, `s=${salt.length}`))
  }
  for (let n = 0; n < times(1000, 9_900); n++) await ask()
  // The slowest few are caused by the machine.
  const usual = (values: number[]) => values.filter((value) => value <= percentile(values, 0.95))
  const difference = welch(usual(delays.known), usual(delays.unknown))
  t.log(
    line({
      known: delays.known.length,
      unknown: delays.unknown.length,
      'medians, ms': `${percentile(delays.known, 0.5).toFixed(3)} ${percentile(delays.unknown, 0.5).toFixed(3)}`,
      'Welch t': difference.toFixed(2),
    }),
  )
  t.is(shapes.size, 1, [...shapes].join(' '))
  for (const [name, found] of salts) t.is(found.size, 1, name)
  // Times depend on the load of the machine: checked in long runs only.
  if (isLong) t.true(Math.abs(difference) < 5)
})
