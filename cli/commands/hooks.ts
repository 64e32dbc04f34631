import { defineGroup } from '../definition/command.ts'
import { incoming } from './hooks-incoming.ts'

export const hooks = defineGroup(
  'hooks',
  'Webhooks of other programs',
  [['$0 hooks incoming create grafana --user ci --group ops', 'an address at which Grafana posts alerts']],
  [incoming],
)
