import type { Result } from './result.ts'

const whole = (value: number) => Math.round(value).toLocaleString('en')
const milliseconds = (value: number | undefined) => value?.toFixed(value < 10 ? 2 : 0)

/** The main figure of a workload with its unit: a rate, memory or a time. */
function headline({ workload, unit, perSecond, value, seconds }: Result): string {
  if (workload === 'idle' && value !== undefined) return `${(value / 1024).toFixed(1)} KB a session`
  if (workload === 'unread') return `${seconds.toFixed(3)} s`
  return `${whole(perSecond)} ${unit}/s`
}

/** Columns of the table of results. */
export const RESULT_COLUMNS: readonly {
  readonly title: string
  readonly value: (result: Result) => string | undefined
}[] = [
  { title: 'workload', value: ({ workload }) => workload },
  { title: 'shape', value: ({ shape }) => shape },
  { title: 'result', value: headline },
  { title: 'p50 ms', value: ({ p50 }) => milliseconds(p50) },
  { title: 'p99 ms', value: ({ p99 }) => milliseconds(p99) },
]
