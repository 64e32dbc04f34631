import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { definePlugin } from '../../core/index.ts'
import { examplePath, promtool, startPrometheus, testWithPrometheus } from '../support/prometheus/prometheus.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly name: string; readonly health: string; readonly state?: string }[]
  }[]
}

interface Result {
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[]
}

testWithPrometheus('Prometheus scrapes a server, and evaluates the example rules', async (t) => {
  const broken = definePlugin({
    name: 'broken',
    setup(app) {
      app.metrics.gauge('value', 'throws', () => {
        throw new Error('no value')
      })
    },
  })
  const listen = { host: '127.0.0.1', port: 0 }
  const { server, user } = await startLocalServer(t, { metrics: listen, plugins: [broken] })
  const alice = await user('alice')
  for (const text of ['one', 'two', 'three']) await alice.send('alice', text)
  const { host } = new URL((server.status() as unknown as { metrics: string }).metrics)

  const folder = await tempFolder(t)
  const config = join(folder, 'prometheus.yml')
  const example = await readFile(examplePath('prometheus/prometheus.yml'), 'utf8')
  await writeFile(
    config,
    example
      .replaceAll('15s', '200ms')
      .replace('127.0.0.1:9380', host)
      .replace('rules.yml', examplePath('prometheus/rules.yml')),
  )
  t.regex(promtool('check', 'config', config), /SUCCESS/)
  const prometheus = await startPrometheus(t, config, join(folder, 'data'))

  const query = async (expression: string) =>
    (await prometheus.get<Result>(`query?query=${encodeURIComponent(expression)}`)).result
  /** Asks until the answer is there; the test's own time limit ends it. */
  const until = async (expression: string) => {
    for (;;) {
      const result = await query(expression)
      if (result.length > 0) return result
    }
  }
  t.is((await until('up{job="chatctl"} == 1')).length, 1)
  t.is((await until('chatctl_messages_stored_total == 3')).length, 1)
  t.is((await until('chatctl_message_store_seconds_count == 3')).length, 1)
  t.like(await until('chatctl_requests_total{type="send_message"}'), [{ metric: { outcome: 'ok' }, value: { 1: '3' } }])
  const metadata = await prometheus.get<Record<string, readonly { type: string }[]>>('metadata')
  t.is(metadata.chatctl_requests?.[0]?.type, 'counter')
  t.is(metadata.chatctl_event_loop_delay_seconds?.[0]?.type, 'histogram')

  // Every rule is evaluated; the plugin that fails at each scrape raises its alert.
  t.is((await until('ALERTS{alertname="ChatctlPluginDegraded",plugin="broken"}')).length, 1)
  const { groups } = await prometheus.get<Rules>('rules')
  const rules = groups.flatMap((group) => group.rules)
  t.true(rules.length >= 10)
  t.deepEqual(
    rules.filter(({ health }) => health !== 'ok').map(({ name, health }) => `${name}: ${health}`),
    [],
  )
  t.deepEqual(await query('ALERTS{alertname="ChatctlDown"}'), [])
})

testWithPrometheus('each example alert is raised by what it is for', async (t) => {
  const folder = await tempFolder(t)
  const file = join(folder, 'rules-test.yml')
  const labels = 'instance="a",job="chatctl"'
  const buckets = (name: string) =>
    [
      `${name}_bucket{${labels},le="0.1"}: 0x30`,
      `${name}_bucket{${labels},le="5"}: 0+60x30`,
      `${name}_bucket{${labels},le="+Inf"}: 0+60x30`,
    ] as const
  const cases: readonly (readonly [alert: string, series: readonly string[]])[] = [
    ['ChatctlDown', [`up{${labels}}: 0x30`]],
    ['ChatctlRequestsFail', [`chatctl_requests_total{${labels},type="x",outcome="unavailable"}: 0+60x30`]],
    ['ChatctlStoresSlowly', buckets('chatctl_message_store_seconds')],
    ['ChatctlEventLoopBlocked', buckets('chatctl_event_loop_delay_seconds')],
    ['ChatctlDatabaseBusy', [`chatctl_database_waiting{${labels}}: 1x30`]],
    ['ChatctlConsumerBehind', [`chatctl_consumer_lag_seconds{${labels}}: 400x30`]],
    ['ChatctlHookFails', [`chatctl_hooks{${labels},state="failing"}: 1x90`]],
    ['ChatctlPluginDegraded', [`chatctl_plugin_degraded{${labels},plugin="p"}: 1x30`]],
  ]
  const rules = await readFile(examplePath('prometheus/rules.yml'), 'utf8')
  t.deepEqual(
    [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name),
    cases.map(([alert]) => alert),
  )
  const queries = cases.map(([alert, series]) => ({
    interval: '1m',
    input_series: series.map((line) => {
      const [name, values] = line.split(/: (?=[^:]*$)/)
      return { series: name, values }
    }),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: alert === 'ChatctlHookFails' ? '80m' : '25m',
        exp_samples: [{ labels: '{}', value: 1 }],
      },
    ],
  }))
  // YAML contains JSON.
  const tests = { rule_files: [examplePath('prometheus/rules.yml')], evaluation_interval: '1m', tests: queries }
  await writeFile(file, JSON.stringify(tests))
  t.regex(promtool('test', 'rules', file), /SUCCESS/)
})
