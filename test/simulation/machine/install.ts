// Loaded with `--import`, before all code that is simulated: replaces clocks, timers and random numbers of this process by
// those of the machine. Without a run they are the real ones.
import crypto, { pbkdf2Sync } from 'node:crypto'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import promises from 'node:timers/promises'
import { promisify } from 'node:util'
import type { EventLoop } from './event-loop.ts'
import { machine } from './machine.ts'
import { REAL } from './real.ts'
import { SimulatedTimer } from './timer-queue.ts'

type Task = (...values: unknown[]) => void

function setTimeout(task: Task, ms = 0, ...values: unknown[]) {
  const { loop } = machine
  if (loop === undefined) return REAL.setTimeout(task, ms, ...values)
  return loop.after(loop.current, Math.max(1, ms), () => task(...values))
}

function setInterval(task: Task, ms = 0, ...values: unknown[]) {
  const { loop } = machine
  if (loop === undefined) return REAL.setInterval(task, ms, ...values)
  return repeat(loop, Math.max(1, ms), () => task(...values))
}

/** An interval: one timer that is set again before each call. */
function repeat(loop: EventLoop, ms: number, task: () => void) {
  const timer = loop.after(loop.current, ms, () => {
    loop.again(timer, ms)
    task()
  })
  return timer
}

function setImmediate(task: Task, ...values: unknown[]) {
  const { loop } = machine
  if (loop === undefined) return REAL.setImmediate(task, ...values)
  return loop.soon(loop.current, () => task(...values))
}

function clear(timer: unknown) {
  if (timer instanceof SimulatedTimer) timer.cancel()
  else REAL.clearTimeout(timer as NodeJS.Timeout)
}

function clearImmediate(immediate: unknown) {
  if (immediate instanceof SimulatedTimer) immediate.cancel()
  else REAL.clearImmediate(immediate as NodeJS.Immediate)
}

const sleep = (ms?: number, value?: unknown, options?: object) => later((done) => setTimeout(done, ms), value, options)
const turn = (value?: unknown, options?: object) => later((done) => setImmediate(done), value, options)

function later(set: (done: () => void) => unknown, value: unknown, options: object | undefined) {
  if (options !== undefined) throw new Error('the simulated timers know no options')
  return new Promise((resolve) => void set(() => resolve(value)))
}

/** One for all: each would have a stack. */
const TIMED_OUT = new DOMException('The operation was aborted due to timeout', 'TimeoutError')

/** Signals of timeouts, which Node's own timers would abort. */
function timeoutSignal(ms: number): AbortSignal {
  if (machine.loop === undefined) return REAL.timeoutSignal(ms)
  const controller = new AbortController()
  setTimeout(() => controller.abort(TIMED_OUT), ms)
  return controller.signal
}

class SimulatedDate extends Date {
  constructor(...given: [string | number | Date]) {
    if ((given as unknown[]).length === 0) super(SimulatedDate.now())
    else super(...given)
  }

  static override now(): number {
    return machine.loop?.time() ?? REAL.time()
  }
}

const replaced = { setTimeout, setInterval, setImmediate, clearTimeout: clear, clearInterval: clear, clearImmediate }
Object.assign(setTimeout, { [promisify.custom]: sleep })
Object.assign(setImmediate, { [promisify.custom]: turn })
Object.assign(globalThis, replaced, { Date: SimulatedDate })
Object.assign(timers, replaced)
Object.assign(promises, { setTimeout: sleep, setImmediate: turn })
performance.now = () => machine.loop?.now ?? REAL.now()
AbortSignal.timeout = timeoutSignal
Math.random = () => (machine.loop === undefined ? REAL.random() : machine.entropy.next())

const { randomBytes, randomInt, randomUUID, pbkdf2 } = crypto

Object.assign(crypto, {
  randomBytes: (length: number) => (machine.loop === undefined ? randomBytes(length) : machine.entropy.bytes(length)),
  randomInt: (end: number) => (machine.loop === undefined ? randomInt(end) : machine.entropy.below(end)),
  randomUUID: () => (machine.loop === undefined ? randomUUID() : machine.entropy.bytes(16).toString('hex')),
  // On the thread pool otherwise, whose order nobody knows.
  pbkdf2: (...given: Parameters<typeof pbkdf2>) => {
    const { loop } = machine
    if (loop === undefined) return pbkdf2(...given)
    const [password, salt, iterations, length, digest, done] = given
    const key = pbkdf2Sync(password, salt, iterations, length, digest)
    loop.post(loop.current, () => done(null, key))
  },
})

const { request } = http

Object.assign(http, {
  request: (...given: Parameters<typeof request>) =>
    machine.loop === undefined ? request(...given) : machine.request(...given),
})
syncBuiltinESMExports()
