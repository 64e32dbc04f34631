import test from 'ava'
import { ReadQueue } from '../../db/read-queue.ts'

const position = (readerId: number, upTo: number) => ({ readerId, fromId: 1, isGroup: false, upTo })

/** A job that says what became of it. */
function job(readerId: number, upTo: number, ends: string[]) {
  return {
    work: position(readerId, upTo),
    resolve: (hasMoved: boolean) => ends.push(`${readerId} ${upTo}: ${hasMoved}`),
    reject: (error: unknown) => ends.push(`${readerId} ${upTo}: ${(error as Error).message}`),
  }
}

test('a queue of read positions knows how far they reach, and is taken by reader and conversation', (t) => {
  const queue = new ReadQueue()
  t.false(queue.reaches(0))
  for (const [reader, upTo] of [
    [1, 5],
    [1, 9],
    [2, 7],
  ] as const)
    queue.add(job(reader, upTo, []))
  t.deepEqual([queue.reaches(8), queue.reaches(9)], [true, false])
  const taken = [...queue.take().values()].map((jobs) => jobs.map(({ work }) => [work.readerId, work.upTo]))
  t.deepEqual(taken, [
    [
      [1, 5],
      [1, 9],
    ],
    [[2, 7]],
  ])
  t.deepEqual([queue.size, queue.reaches(0)], [0, false])
})

test('of positions that the database could not store the furthest is kept, unless the writer has closed', (t) => {
  const unavailable = Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' })
  for (const mayRetry of [true, false]) {
    const ends: string[] = []
    const queue = new ReadQueue()
    for (const upTo of [5, 9]) queue.add(job(1, upTo, ends))
    queue.refuse(queue.take(), unavailable, { mayRetry })
    t.deepEqual(ends, ['1 5: disk full', mayRetry ? '1 9: the database is not available' : '1 9: disk full'])
    t.is(queue.lateSize, Number(mayRetry))
    t.is(queue.reaches(Number.MAX_SAFE_INTEGER), mayRetry, 'it may reach anything until it is stored')
    queue.add(job(1, 20, ends))
    t.deepEqual(
      [...queue.take().values()].map((jobs) => jobs.map(({ work }) => work.upTo)),
      [mayRetry ? [9, 20] : [20]],
    )
  }
})
