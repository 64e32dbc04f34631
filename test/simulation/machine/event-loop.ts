import type { Random } from '../../support/random.ts'
import { REAL } from './real.ts'
import { SimulatedTimer, TimerQueue } from './timer-queue.ts'
import type { Trace } from './trace.ts'

/** The wall clock at the beginning of each run. */
const START = Date.UTC(2030, 0, 1)

/** Tasks after which a run counts as one without an end. */
const MAX_TASKS = 200_000

/** A process of the simulation: a server or a client. Its tasks run in the order in which they came. */
export class Process {
  readonly name: string
  readonly ready: (() => void)[] = []
  /** Killed: nothing of it runs any more. */
  isDead = false
  /** Stopped as by SIGSTOP: its tasks wait. */
  isFrozen = false

  constructor(name: string) {
    this.name = name
  }
}

/** What a run was doing when a task threw, or when nothing was left to do. */
export class RunFailed extends Error {}

/**
 * The event loop of all processes of a run, on one simulated clock. One task of one process runs at a time, with all its
 * microtasks; a random number decides which process is next. Time passes only when no task is ready.
 */
export class EventLoop {
  readonly random: Random
  readonly trace: Trace
  /** Milliseconds since the beginning of the run. */
  now = 0
  /** The process whose task runs: what it schedules is its own. */
  current: Process
  readonly #processes: Process[] = []
  readonly #timers = new TimerQueue()
  #tasks = 0
  #failure: Error | undefined

  constructor(random: Random, trace: Trace) {
    this.random = random
    this.trace = trace
    this.current = this.process('world')
  }

  process(name: string): Process {
    const process = new Process(name)
    this.#processes.push(process)
    return process
  }

  /** Ends a process at once. */
  kill(process: Process) {
    if (process.isDead) return
    process.isDead = true
    process.ready.length = 0
    this.#processes.splice(this.#processes.indexOf(process), 1)
  }

  /** Milliseconds since 1970 UTC. */
  time(): number {
    return START + Math.floor(this.now)
  }

  /** Runs a task of a process as soon as it is that one's turn. */
  post(process: Process, task: () => void) {
    if (!process.isDead) process.ready.push(task)
  }

  /** The same for one that may be cancelled. */
  soon(process: Process, task: () => void): SimulatedTimer {
    const timer = new SimulatedTimer(this.#timers, process, task)
    timer.isPending = true
    this.post(process, timer.fire)
    return timer
  }

  /** Runs a task of a process after a time, in milliseconds. */
  after(process: Process, ms: number, task: () => void): SimulatedTimer {
    const timer = new SimulatedTimer(this.#timers, process, task)
    if (!process.isDead) this.#timers.add(timer, this.now + ms)
    return timer
  }

  /** Sets a timer again. */
  again(timer: SimulatedTimer, ms: number) {
    this.#timers.add(timer, this.now + ms)
  }

  /** Does work as a task of another process. Its result comes in a task of the current one; never if a process dies. */
  in<T>(process: Process, work: () => Promise<T>): Promise<T> {
    const { current } = this
    return new Promise((resolve, reject) => {
      this.post(process, () => {
        work().then(
          (value) => this.post(current, () => resolve(value)),
          (error) => this.post(current, () => reject(error)),
        )
      })
    })
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(this.current, ms, resolve))
  }

  /** Ends the run with an error: of a task, or an unhandled rejection. */
  fail(error: Error) {
    if (!this.current.isDead) this.#failure ??= error
  }

  /** Runs tasks until the work has ended. @throws RunFailed, and what the work throws */
  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let end: (() => void) | undefined
      const world = this.current
      work().then(
        (value) => {
          end = () => resolve(value)
        },
        (error) => {
          end = () => reject(error)
        },
      )
      const step = () => {
        this.current = world
        if (this.#failure !== undefined) return reject(this.#failure)
        if (end !== undefined) return end()
        try {
          this.#step()
        } catch (error) {
          return reject(error)
        }
        // After all microtasks of the task.
        REAL.setImmediate(step)
      }
      REAL.setImmediate(step)
    })
  }

  #step() {
    if (++this.#tasks > MAX_TASKS) throw new RunFailed(`no end after ${MAX_TASKS} tasks, at ${this.now} ms`)
    const process = this.#nextProcess()
    const task = process.ready.shift() as () => void
    this.current = process
    this.trace.add(`${this.now.toFixed(3)} ${process.name}`)
    try {
      task()
    } catch (error) {
      throw new RunFailed(`${process.name} ended by an uncaught error`, { cause: error })
    }
  }

  /** A process with a task that is ready; time passes until there is one. */
  #nextProcess(): Process {
    for (;;) {
      const able = this.#processes.filter(({ ready, isFrozen }) => ready.length > 0 && !isFrozen)
      if (able.length > 0) return able.length === 1 ? (able[0] as Process) : this.random.pick(able)
      const timer = this.#timers.take()
      if (timer === undefined) throw new RunFailed(`nothing is left to do, at ${this.now} ms`)
      this.now = Math.max(this.now, timer.at)
      this.post(timer.process, timer.fire)
      // Those of the same moment become ready together: a random number decides about their order.
      for (let next = this.#timers.takeAt(timer.at); next !== undefined; next = this.#timers.takeAt(timer.at))
        this.post(next.process, next.fire)
    }
  }
}
