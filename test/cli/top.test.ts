import test from 'ava'
import { loadBetween, quantileOf, Reading } from '../../cli/operator/load-sample.ts'
import { loadScreen } from '../../cli/operator/load-view.ts'
import { openShell } from '../support/processes/shell.ts'

const TOP = ['top', '--data', './room', '--interval', '50ms']

test.serial('top prints one JSON sample, or a record for each interval', async (t) => {
  const shell = await openShell(t)
  await shell.serve()
  const one = await shell.run([...TOP, '-o', 'json'])
  t.is(one.code, 0, one.stderr)
  t.like(JSON.parse(one.stdout), { connections: 1, sessions: 0, messagesPerSecond: 0, storeP99: null, databaseMax: 1 })
  t.is(JSON.parse(one.stdout).busiest[0].type, 'query_metrics')

  const two = await shell.run([...TOP, '--count', '2'])
  t.is(two.code, 0, two.stderr)
  t.deepEqual(
    two.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).connections),
    [1, 1],
  )
  t.regex((await shell.run([...TOP, '--count', '1', '-o', 'plain'])).stdout, /^0 sessions {2}0 messages\/s .* MiB\n$/)
})

test.serial('top explains a server without metrics, and one that does not run', async (t) => {
  const shell = await openShell(t)
  const server = await shell.serve(['--without', 'metrics'])
  const none = await shell.run(TOP)
  t.is(none.code, 1)
  t.regex(none.stderr, /this server has no metrics.*\n.*without `--without metrics`/)
  await server.stop()
  t.is((await shell.run(TOP)).code, 3)
})

test.serial('serve names the address of the metrics, and refuses one that is none or taken', async (t) => {
  const shell = await openShell(t)
  const { listening } = await shell.serve(['--metrics', '[::1]:0'])
  t.regex(listening.metrics, /^http:\/\/\[::1\]:\d+\/metrics$/)
  t.regex(await (await fetch(listening.metrics)).text(), /^chatctl_connections 0$/m)
  const { port } = new URL(listening.metrics)
  const taken = await shell.run(['serve', '--data', './other', '--port', '0', '--metrics', `[::1]:${port}`])
  t.is(taken.code, 1)
  t.regex(taken.stderr, /metrics on ::1:\d+: the address is in use/)
  const wrong = await shell.run(['serve', '--metrics', 'here'])
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /metrics: is \[HOST:\]PORT or off \(from flag --metrics\)/)
})

test('quantiles are interpolated in the buckets that grew', (t) => {
  const before = [
    [0.1, 5],
    [1, 5],
    [Number.POSITIVE_INFINITY, 5],
  ] as const
  const after = [
    [0.1, 15],
    [1, 25],
    [Number.POSITIVE_INFINITY, 25],
  ] as const
  t.is(quantileOf(before, before, 0.5), null)
  t.is(quantileOf(before, after, 0.25), 50)
  t.is(quantileOf(before, after, 0.75), 550)
  t.is(
    quantileOf(
      [],
      [
        [0.1, 0],
        [Number.POSITIVE_INFINITY, 4],
      ],
      0.99,
    ),
    100,
    'beyond the last limit: no more is known',
  )
})

test('rates count what grew between two readings, after a restart nothing', (t) => {
  const reading = (at: number, requests: number) =>
    new Reading(at, [
      {
        name: 'chatctl_requests',
        type: 'counter',
        about: '',
        samples: [
          { labels: { type: 'ping', outcome: 'ok' }, value: requests },
          { labels: { type: 'login', outcome: 'login_failed' }, value: requests / 2 },
        ],
      },
    ])
  const load = loadBetween(reading(10, 20), reading(12, 40))
  t.like(load, { requestsPerSecond: 15, refusedPerSecond: 5 })
  t.deepEqual(load.busiest, [
    { type: 'ping', perSecond: 10 },
    { type: 'login', perSecond: 5 },
  ])
  t.like(loadBetween(reading(10, 20), reading(12, 2)), { requestsPerSecond: 0, busiest: { length: 0 } })
  const screen = loadScreen(load, (text) => text)
  t.true(screen.some((line) => /^requests +15\/s, 5\/s refused, 0 waiting$/.test(line)))
})
