// `npm run bench:page`: what users of the page wait for. See README.md in the folder above.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { Output } from '../../cli/output/output.ts'
import { QueryDevices, RevokeDevice } from '../../client/index.ts'
import { startChromium } from '../../test/support/browser/chromium.ts'
import { type BenchServer, startServer } from '../server.ts'
import { converse, enter, loginOf } from './people.ts'
import { heapOf, isIn, isOffline, isOut, logIn, openChat, recordHistory, scrollBack } from './view.ts'

const MESSAGES = 10_000
const [OPENINGS, STARTS, RESTARTS, REVOCATIONS] = [20, 5, 5, 3]
/** Beyond the messages that the page keeps in its document. */
const PAGES_BACK = 10

interface Figure {
  readonly measured: string
  readonly median: string
  readonly max: string
  readonly goal: string
}

const figures: Figure[] = []

function add(measured: string, values: readonly number[], unit: string, goal = '') {
  const sorted = [...values].sort((one, other) => one - other)
  const shown = (value = Number.NaN) => `${value.toFixed(unit === 'MB' ? 1 : 0)} ${unit}`
  figures.push({ measured, median: shown(sorted[Math.floor(sorted.length / 2)]), max: shown(sorted.at(-1)), goal })
  process.stderr.write('.')
}

/** Milliseconds that something takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Results of a number of repetitions, one after the other. */
async function repeated<T>(times: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let n = 0; n < times; n++) results.push(await work(n))
  return results
}

async function measureChats(page: Page, last: { readonly bob: number; readonly carl: number }) {
  const opened = await repeated(OPENINGS, async (n) => {
    const user = n % 2 === 0 ? 'bob' : 'carl'
    return openChat(page, user, last[user])
  })
  add(
    `opening a chat of ${MESSAGES} messages, after its data`,
    opened.map(({ afterData }) => afterData),
    'ms',
    '100 ms',
  )
  add(
    'from the click to its messages',
    opened.map(({ total }) => total),
    'ms',
  )
  const rows = await scrollBack(page, PAGES_BACK)
  add(`heap with ${rows} messages shown`, [(await heapOf(page)) / 1e6], 'MB', '60 MB')
}

/** Restarts the server under the open page, from the moment at which it listens. */
async function measureRestarts(page: Page, server: BenchServer, data: string): Promise<BenchServer> {
  let running = server
  const http = Number(new URL(server.http ?? '').port)
  const returns = await repeated(RESTARTS, async () => {
    await running.stop()
    await isOffline(page, true)
    running = await startServer({ data, http })
    return timed(() => isOffline(page, false))
  })
  add('return after a restart, from listening on', returns, 'ms', '2000 ms')
  return running
}

async function run(data: string) {
  let server = await startServer({ data, http: 0 })
  const browser = await startChromium()
  try {
    const address = `127.0.0.1:${server.port}`
    const [ann, bob, carl] = await Promise.all(['ann', 'bob', 'carl'].map((name) => enter(address, name)))
    if (ann === undefined || bob === undefined || carl === undefined) return
    const last = {
      bob: await converse(bob, ann, ['bob', 'ann'], MESSAGES),
      carl: await converse(carl, ann, ['carl', 'ann'], MESSAGES),
    }
    const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1100, height: 720 } })
    await recordHistory(context)
    const page = await context.newPage()
    await page.goto(server.http ?? '')
    add('log in with a password', [await timed(() => logIn(page, loginOf('ann')))], 'ms')
    await measureChats(page, last)
    const starts = await repeated(STARTS, () => timed(() => page.reload().then(() => isIn(page))))
    add('start of the page until the contacts are there', starts, 'ms')

    const revocations = await repeated(REVOCATIONS, async () => {
      const { devices } = await ann.request(QueryDevices, {})
      const gone = isOut(page)
      const ms = await timed(async () => {
        for (const { device } of devices) await ann.request(RevokeDevice, { device })
        await gone
      })
      await logIn(page, loginOf('ann'))
      return ms
    })
    add('a revoked device is out', revocations, 'ms', 'at once')
    await Promise.all([ann, bob, carl].map((client) => client.close()))
    server = await measureRestarts(page, server, data)
  } finally {
    await browser.close()
    await server.kill()
  }
}

const data = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
try {
  await run(data)
} finally {
  await rm(data, { recursive: true, force: true })
}
process.stderr.write('\n')
const output = new Output(process.argv.includes('--json') ? 'json' : 'table', undefined)
await output.list(figures, [
  { title: 'measured', value: ({ measured }) => measured },
  { title: 'median', value: ({ median }) => median },
  { title: 'max', value: ({ max }) => max },
  { title: 'goal', value: ({ goal }) => goal },
])
