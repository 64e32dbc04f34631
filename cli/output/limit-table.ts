import { BUILT_IN_LIMITS } from '../../plugins/built-in-limits.ts'

/** The generated part of docs/OPERATIONS.md. */
export function limitTable(): string {
  const rows = Object.values(BUILT_IN_LIMITS).map(
    ({ name, value, max, unit, about }) =>
      `| ${name} | ${value} | ${unit} | ${about}${max === undefined ? '' : `; at most ${max}`} |`,
  )
  return ['| limit | default | unit | what it bounds |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
