import { LIMITS } from '../../core/limits.ts'

/** The generated part of docs/OPERATIONS.md. */
export function limitTable(): string {
  const rows = Object.entries(LIMITS).map(
    ([name, { value, unit, about }]) => `| ${name} | ${value} | ${unit} | ${about} |`,
  )
  return ['| limit | default | unit | what it bounds |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
