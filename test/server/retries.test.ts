import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { Retries, SYSTEM_CLOCK } from '../../core/index.ts'

test('work that waits for its next attempt is given up when its owner stops', async (t) => {
  const stop = new AbortController()
  const tasks: (() => unknown)[] = []
  const owner = { clock: SYSTEM_CLOCK, signal: stop.signal, onStop: (task: () => unknown) => void tasks.push(task) }
  const errors: unknown[] = []
  const retries = new Retries(
    owner,
    () => true,
    (error) => errors.push(error),
  )
  let attempts = 0
  const given = retries.until(() => {
    attempts++
    return Promise.reject(new Error('the database is away'))
  })
  await nextTurn()
  stop.abort()
  for (const task of tasks) task()
  t.is(await given, undefined)
  t.is(attempts, 1)
  t.is(errors.length, 1)
})
